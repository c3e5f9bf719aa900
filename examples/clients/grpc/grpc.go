// The hooks: net.DefaultResolver for the names, which gRPC's default resolver, dns, uses; and
// grpc.WithContextDialer for the connections. A target with the scheme passthrough:/// needs only the second, because
// its name is not looked up.

// Package grpc reaches a gRPC server behind a gateway.
package grpc

import (
	"context"
	"net"

	"google.golang.org/grpc"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/resolver"
)

// UseResolver makes r the default resolver of the process. Call it from main, before any name is looked up.
func UseResolver(r *resolver.Resolver) { net.DefaultResolver = r.NetResolver() }

// NewClient is like grpc.NewClient, but connects through d. After UseResolver the dns resolver turns the target's name
// into a fake address, and d turns that into the name again.
func NewClient(d *dialer.Dialer, target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", address)
	}
	return grpc.NewClient(target, append(options, grpc.WithContextDialer(dial))...)
}
