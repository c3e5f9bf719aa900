// The hook: Transport of elasticsearch.Config, an http.Transport that has the Dialer's DialContext. It also reaches
// the nodes that DiscoverNodes finds.

// Package elasticsearch reaches Elasticsearch servers behind a gateway.
package elasticsearch

import (
	"crypto/tls"
	"net/http"

	"github.com/elastic/go-elasticsearch/v9"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of servers, URLs whose hosts are names that the gateway knows.
func NewClient(t *http.Transport, servers ...string) (*elasticsearch.Client, error) {
	//lint:ignore SA1019 the options of New reach the same Transport, and most programs have a Config
	return elasticsearch.NewClient(elasticsearch.Config{Addresses: servers, Transport: t})
}

// Transport returns the transport for NewClient. The config is for TLS; nil: the system's certificates. It outlives its clients: close
// its idle connections after them.
func Transport(d *dialer.Dialer, config *tls.Config) *http.Transport {
	return &http.Transport{DialContext: d.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true}
}
