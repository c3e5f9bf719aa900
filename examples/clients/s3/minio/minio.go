// The hook: Transport of minio.Options, an http.Transport that has the Dialer's DialContext.

// Package minio reaches S3 behind a gateway with minio-go.
package minio

import (
	"crypto/tls"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/sockslib/sockslib/dialer"
)

// Transport returns the transport for NewClient. The config is for TLS; nil: the system's certificates.
func Transport(d *dialer.Dialer, config *tls.Config) *http.Transport {
	return &http.Transport{DialContext: d.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true}
}

// NewClient returns a client of the service at an endpoint, "host:port", whose host is a name that the gateway
// knows.
func NewClient(t *http.Transport, endpoint string, options minio.Options) (*minio.Client, error) {
	options.Transport = t
	return minio.New(endpoint, &options)
}
