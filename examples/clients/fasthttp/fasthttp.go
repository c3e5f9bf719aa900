// The hook: DialTimeout of fasthttp.Client, which gets the name and the rest of the request's timeout.
// Requests have no context.

// Package fasthttp puts a fasthttp client behind a gateway.
package fasthttp

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of servers whose names the gateway knows. The config is for TLS; nil: the system's
// certificates.
func NewClient(d *dialer.Dialer, config *tls.Config) *fasthttp.Client {
	return &fasthttp.Client{
		TLSConfig: config,
		DialTimeout: func(address string, timeout time.Duration) (net.Conn, error) {
			ctx, cancel := context.Background(), func() {}
			if timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, timeout)
			}
			defer cancel()
			return d.DialContext(ctx, "tcp", address)
		},
	}
}
