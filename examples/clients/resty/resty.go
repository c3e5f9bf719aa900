// The hook: SetTransport, with an http.Transport that has the Dialer's DialContext.

// Package resty puts a resty client behind a gateway.
package resty

import (
	"crypto/tls"
	"net/http"

	"github.com/go-resty/resty/v2"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of servers whose names the gateway knows. The config is for TLS; nil: the system's
// certificates.
func NewClient(d *dialer.Dialer, config *tls.Config) *resty.Client {
	return resty.New().SetTransport(&http.Transport{DialContext: d.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true})
}
