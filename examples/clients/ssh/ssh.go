// The hook: ssh.NewClientConn over an existing connection. The host key is checked against the
// name, not against the fake address.

// Package ssh reaches an SSH server behind a gateway.
package ssh

import (
	"context"

	"golang.org/x/crypto/ssh"

	"github.com/sockslib/sockslib/dialer"
)

// Dial connects to an SSH server at address, "host:port", and logs in, as ssh.Dial does. The context limits
// both.
func Dial(ctx context.Context, d *dialer.Dialer, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}
