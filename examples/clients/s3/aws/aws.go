// The hook: HTTPClient of the service's Options, or of aws.Config for all services, with a transport that has the
// Dialer's DialContext.

// Package aws reaches S3 behind a gateway with aws-sdk-go-v2.
package aws

import (
	"crypto/tls"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sockslib/sockslib/dialer"
)

// HTTPClient returns the client for s3.Options and aws.Config. The config is for TLS; nil: the system's certificates.
func HTTPClient(d *dialer.Dialer, config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true}}
}

// NewClient returns a client of a service at the endpoint, a URL whose host is a name that the gateway knows.
func NewClient(h *http.Client, endpoint string, options s3.Options) *s3.Client {
	options.HTTPClient = h
	options.BaseEndpoint = &endpoint
	return s3.New(options)
}
