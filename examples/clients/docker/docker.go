// The hook: WithDialContext, after WithHost, which does the TLS too. With a TLSClientConfig in the transport, the
// client makes the connections of attach and exec itself, without the gateway.

// Package docker reaches a Docker engine behind a gateway with moby's client.
package docker

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/moby/moby/client"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of the engine at address, "host:port", whose host is a name that the gateway knows.
func NewClient(d *dialer.Dialer, address string, config *tls.Config) (*client.Client, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName = host
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
	return client.New(client.WithHost("tcp://"+address), client.WithDialContext(dial))
}
