// The hooks: net.DefaultResolver, which is all that gRPC's default resolver, dns, asks, for the names; and
// grpc.WithContextDialer for the connections. A target with the scheme passthrough:/// needs the latter alone: nobody
// looks its name up.

// Package grpc reaches a gRPC server behind a gateway.
package grpc

import (
	"context"
	"net"

	"google.golang.org/grpc"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/resolver"
)

// UseResolver gives every lookup of the process that has no resolver of its own to r. It is for main to call,
// before anything looks up a name.
func UseResolver(r *resolver.Resolver) { net.DefaultResolver = r.NetResolver() }

// NewClient is grpc.NewClient, by d. The dns resolver turns the target's name into a fake address, for which
// UseResolver is needed, and d turns that into the name again.
func NewClient(d *dialer.Dialer, target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", address)
	}
	return grpc.NewClient(target, append(options, grpc.WithContextDialer(dial))...)
}
