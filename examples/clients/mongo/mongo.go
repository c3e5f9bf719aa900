// The hook: SetDialer of ClientOptions. The names of a replica set's members, which the servers report,
// reach it too. A mongodb+srv:// URI is looked up by net.DefaultResolver: set it to a Resolver's NetResolver with an
// Upstream, or give the hosts themselves.

// Package mongo reaches MongoDB servers behind a gateway.
package mongo

import (
	"crypto/tls"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sockslib/sockslib/dialer"
)

// Connect returns a client for a mongodb:// URI whose hosts are names that the gateway knows. The config is for
// TLS; nil: as the URI says.
func Connect(d *dialer.Dialer, uri string, config *tls.Config) (*mongo.Client, error) {
	o := options.Client().ApplyURI(uri).SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1))
	o.SetDialer(d)
	if config != nil {
		o.SetTLSConfig(config)
	}
	return mongo.Connect(o)
}
