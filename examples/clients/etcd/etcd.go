// The hook: grpc.WithContextDialer among DialOptions of clientv3.Config, which gets the names of the endpoints.
// With the scheme https the names are verified.

// Package etcd reaches etcd servers behind a gateway.
package etcd

import (
	"context"
	"net"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of config's Endpoints, URLs whose hosts are names that the gateway knows.
func NewClient(d *dialer.Dialer, config clientv3.Config) (*clientv3.Client, error) {
	dial := func(ctx context.Context, address string) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }
	config.DialOptions = append(config.DialOptions, grpc.WithContextDialer(dial))
	return clientv3.New(config)
}
