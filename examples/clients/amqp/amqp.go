// The hook: Dial of amqp.Config. It has no context, so a closure passes the one of the opening on. The
// deadline that Dial sets is for the handshakes; the library clears it after them.

// Package amqp reaches an AMQP 0.9.1 server, such as RabbitMQ, behind a gateway.
package amqp

import (
	"context"
	"crypto/tls"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/sockslib/sockslib/dialer"
)

// Dial connects to the server of a URL, amqps://user:password@host:port/vhost, whose host is a name that the
// gateway knows. The context limits the opening. The config is for TLS.
func Dial(ctx context.Context, d *dialer.Dialer, url string, config *tls.Config) (*amqp.Connection, error) {
	var opened net.Conn
	connection, err := amqp.DialConfig(url, amqp.Config{
		TLSClientConfig: config,
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			deadline, _ := ctx.Deadline() // zero without a deadline: none
			opened = conn
			return conn, conn.SetDeadline(deadline)
		},
	})
	if err != nil && opened != nil {
		opened.Close()
	}
	return connection, err
}
