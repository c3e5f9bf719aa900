// The hook: ldap.NewConn over an existing TLS connection. DialWithDialer takes only a
// *net.Dialer. Requests have a timeout, SetTimeout, and no context.

// Package ldap reaches an LDAP server behind a gateway with go-ldap.
package ldap

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/go-ldap/ldap/v3"

	"github.com/sockslib/sockslib/dialer"
)

// Dial connects to an LDAP server with TLS at address, "host:port", whose host is a name that the gateway knows.
func Dial(ctx context.Context, d *dialer.Dialer, address string, config *tls.Config) (*ldap.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName = host
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	client := ldap.NewConn(secure, true)
	client.Start()
	return client, nil
}
