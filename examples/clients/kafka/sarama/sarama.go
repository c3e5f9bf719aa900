// The hook: Net.Proxy of sarama.Config, a proxy.Dialer. It has no context; an adapter applies Net.DialTimeout. sarama
// does the TLS.

// Package sarama reaches Kafka brokers behind a gateway with sarama.
package sarama

import (
	"context"
	"net"
	"time"

	"github.com/IBM/sarama"

	"github.com/sockslib/sockslib/dialer"
)

// UseDialer makes clients with this configuration connect through d.
func UseDialer(config *sarama.Config, d *dialer.Dialer) {
	config.Net.Proxy.Enable = true
	config.Net.Proxy.Dialer = hook{d, config.Net.DialTimeout}
}

type hook struct {
	dialer  *dialer.Dialer
	timeout time.Duration
}

func (h hook) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), h.timeout)
	defer cancel()
	return h.dialer.DialContext(ctx, network, address)
}
