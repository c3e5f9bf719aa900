// The hook: the http.Client of connect.NewClient, with a transport that has the Dialer's DialContext.

// Package connect calls Connect and gRPC services behind a gateway with connect-go.
package connect

import (
	"crypto/tls"
	"net/http"

	"github.com/sockslib/sockslib/dialer"
)

// HTTPClient returns the HTTP client for a generated NewServiceClient. The config is for TLS; nil: the system's
// certificates.
func HTTPClient(d *dialer.Dialer, config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true}}
}
