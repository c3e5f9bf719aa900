// The hook: smtp.NewClient over a connection that is there already. STARTTLS is with the name, end to end; the
// gateway sees none of the mail.

// Package smtp hands mail to a server behind a gateway.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/smtp"

	"github.com/sockslib/sockslib/dialer"
)

// Send does what smtp.SendMail does, and insists on STARTTLS; without roots, those of
// the system count. When the context ends, so does the exchange.
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
	if err := body.Close(); err != nil { // the server's word that it has the mail
		return err
	}
	return client.Quit()
}
