// The hook: smtp.NewClient over an existing connection. STARTTLS is end to end and verifies the name, so the gateway
// does not see the mail.

// Package smtp sends mail to a server behind a gateway.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/smtp"

	"github.com/sockslib/sockslib/dialer"
)

// Send is like smtp.SendMail, but requires STARTTLS. With nil roots, it uses the system's. The exchange ends with
// the context.
func Send(ctx context.Context, d *dialer.Dialer, address string, roots *x509.CertPool, from, to string, message []byte) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if err := client.StartTLS(&tls.Config{ServerName: host, RootCAs: roots}); err != nil {
		return err
	}
	if err := client.Mail(from); err != nil {
		return err
	}
	if err := client.Rcpt(to); err != nil {
		return err
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(message); err != nil {
		return err
	}
	if err := body.Close(); err != nil { // the server has accepted the mail
		return err
	}
	return client.Quit()
}
