// The hook: DialContext of http.Transport; for programs and libraries that use http.DefaultClient, that of
// http.DefaultTransport. HTTP_PROXY would come before it, as a proxy behind the gateway, unless Proxy is nil.

// Package http puts net/http behind a gateway.
package http

import (
	"net/http"

	"github.com/sockslib/sockslib/dialer"
)

// UseDialer has everything in the program that uses http.DefaultTransport dial by d. Call it before the first
// request.
func UseDialer(d *dialer.Dialer) {
	transport := http.DefaultTransport.(*http.Transport)
	transport.DialContext = d.DialContext
	transport.Proxy = nil
}
