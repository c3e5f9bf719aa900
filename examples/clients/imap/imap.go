// The hook: imapclient.New over an existing TLS connection. Its commands have no context; Close
// ends them.

// Package imap reaches an IMAP server behind a gateway with go-imap.
package imap

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/sockslib/sockslib/dialer"
)

// Dial connects to an IMAP server with TLS at address, "host:port", whose host is a name that the gateway knows,
// and waits for its greeting. The context limits both.
func Dial(ctx context.Context, d *dialer.Dialer, address string, config *tls.Config) (*imapclient.Client, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName, config.NextProtos = host, []string{"imap"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	client := imapclient.New(secure, nil)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := client.WaitGreeting(); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}
