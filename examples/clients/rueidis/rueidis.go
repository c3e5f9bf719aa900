// The hook: DialCtxFn of rueidis.ClientOption, which gets the name. It must do the TLS itself, and apply
// the timeout (dial_timeout in the URL), which it gets in a net.Dialer, because NewClient has no context.

// Package rueidis reaches a Redis server behind a gateway.
package rueidis

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/redis/rueidis"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of the server of a URL, rediss://user:password@host:port/db. The host is a name
// that the gateway knows. The config is for TLS; nil: the system's certificates.
func NewClient(d *dialer.Dialer, url string, config *tls.Config) (rueidis.Client, error) {
	options, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	if options.TLSConfig != nil && config != nil { // the URL is rediss://, and the config has the name to verify
		options.TLSConfig.RootCAs = config.RootCAs
	}
	options.DialCtxFn = func(ctx context.Context, address string, n *net.Dialer, secure *tls.Config) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, n.Timeout)
		defer cancel()
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil || secure == nil {
			return conn, err
		}
		c := tls.Client(conn, secure)
		if err := c.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return c, nil
	}
	return rueidis.NewClient(options)
}
