// The hook: Dialer of redis.Options, which gets the name and must do the TLS of rediss:// itself. Set EndpointType too:
// otherwise redis.NewClient looks the name up locally, to choose the EndpointType of its maintenance notifications.

// Package redis reaches a Redis server behind a gateway.
package redis

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of the server of a URL, rediss://user:password@host:port/db. The host is a name
// that the gateway knows. The config is for TLS; nil: the system's certificates.
func NewClient(d *dialer.Dialer, url string, config *tls.Config) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.Dialer = d.DialContext
	if options.TLSConfig != nil && config != nil { // the URL is rediss://, and the config has the name to verify
		options.TLSConfig.RootCAs = config.RootCAs
	}
	if options.TLSConfig != nil {
		options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, options.TLSConfig)
			if err := secure.HandshakeContext(ctx); err != nil {
				conn.Close()
				return nil, err
			}
			return secure, nil
		}
	}
	options.MaintNotificationsConfig = &maintnotifications.Config{EndpointType: maintnotifications.EndpointTypeNone}
	return redis.NewClient(options), nil
}
