// The hook: SetCustomOpenConnectionFn. SetDialer takes only a *net.Dialer. The func has no
// context; it sets the timeout, and does the TLS of a tls:// URL, itself.

// Package mqtt reaches an MQTT 3.1.1 server behind a gateway by paho.mqtt.golang.
package mqtt

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/sockslib/sockslib/dialer"
)

// UseDialer makes clients with these options connect through d. The brokers are tcp:// and tls:// URLs, whose hosts are
// names that the gateway knows.
func UseDialer(o *mqtt.ClientOptions, d *dialer.Dialer) {
	o.SetCustomOpenConnectionFn(func(broker *url.URL, o mqtt.ClientOptions) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), o.ConnectTimeout)
		defer cancel()
		conn, err := d.DialContext(ctx, "tcp", broker.Host)
		if err != nil || broker.Scheme != "tls" {
			return conn, err
		}
		config := o.TLSConfig.Clone()
		config.ServerName = broker.Hostname()
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	})
}
