// The hook: Dialer of redis.Options, which is given the name, and has to do the TLS of rediss:// itself. That
// alone is not enough: redis.NewClient looks the name up locally, to choose the EndpointType of its maintenance
// notifications, unless one is chosen.

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
	if options.TLSConfig != nil && config != nil { // it is there for rediss, with the name to verify
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
