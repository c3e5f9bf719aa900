// The hook: AttemptConnection of autopaho.ClientConfig. Its context is the client's: the func sets the
// timeout of a connection, and does the TLS of a tls:// URL, itself.

// Package autopaho reaches an MQTT 5 server behind a gateway by paho.golang's autopaho.
package autopaho

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"

	"github.com/eclipse/paho.golang/autopaho"

	"github.com/sockslib/sockslib/dialer"
)

// UseDialer makes clients with this configuration connect through d. The servers are mqtt:// and tls:// URLs, whose hosts
// are names that the gateway knows.
func UseDialer(config *autopaho.ClientConfig, d *dialer.Dialer) {
	config.AttemptConnection = func(ctx context.Context, c autopaho.ClientConfig, server *url.URL) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
		defer cancel()
		conn, err := d.DialContext(ctx, "tcp", server.Host)
		if err != nil || server.Scheme != "tls" {
			return conn, err
		}
		secured := c.TlsCfg.Clone()
		secured.ServerName = server.Hostname()
		secure := tls.Client(conn, secured)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
}
