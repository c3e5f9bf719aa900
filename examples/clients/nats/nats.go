// The hooks: SetCustomDialer, and SkipHostLookup. Without SkipHostLookup nats.go looks the name up locally first, and
// ignores a failure. The custom dialer has no context; it sets the timeout of a connection itself.

// Package nats reaches NATS servers behind a gateway.
package nats

import (
	"context"
	"net"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sockslib/sockslib/dialer"
)

// Connect connects to the servers of a URL, whose hosts are names that the gateway knows, and to the servers that they
// report. The timeout applies to each connection.
func Connect(d *dialer.Dialer, url string, timeout time.Duration, options ...nats.Option) (*nats.Conn, error) {
	options = append(options, nats.SkipHostLookup(), nats.SetCustomDialer(hook{d, timeout}), nats.Timeout(timeout))
	return nats.Connect(url, options...)
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
