// The hook: kgo.Dialer, which gets the names of the seeds and those that the brokers report. It must do the TLS itself,
// because kgo.DialTLSConfig cannot be combined with it.

// Package franz reaches Kafka brokers behind a gateway with franz-go.
package franz

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sockslib/sockslib/dialer"
)

// Dialer is an option of kgo.NewClient. The config is for TLS; nil: none.
func Dialer(d *dialer.Dialer, config *tls.Config) kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, broker string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, broker)
		if err != nil || config == nil {
			return conn, err
		}
		host, _, err := net.SplitHostPort(broker)
		if err != nil {
			conn.Close()
			return nil, err
		}
		named := config.Clone()
		named.ServerName = host
		secure := tls.Client(conn, named)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	})
}
