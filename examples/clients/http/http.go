// The hook: DialContext of http.Transport; for programs and libraries that use http.DefaultClient, the one of
// http.DefaultTransport. Set Proxy to nil: otherwise HTTP_PROXY names a proxy that is reached through the gateway.

// Package http puts net/http behind a gateway.
package http

import (
	"net/http"

	"github.com/sockslib/sockslib/dialer"
)

// UseDialer makes http.DefaultTransport connect through d. Call it before the first
// request.
func UseDialer(d *dialer.Dialer) {
	transport := http.DefaultTransport.(*http.Transport)
	transport.DialContext = d.DialContext
	transport.Proxy = nil
}
