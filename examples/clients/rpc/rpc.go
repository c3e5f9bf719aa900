// The hook: rpc.NewClient over an existing connection. Calls have no context.

// Package rpc puts net/rpc behind a gateway.
package rpc

import (
	"context"
	"net/rpc"

	"github.com/sockslib/sockslib/dialer"
)

// Dial connects to an RPC server at address, "host:port", whose host is a name that the gateway knows.
func Dial(ctx context.Context, d *dialer.Dialer, address string) (*rpc.Client, error) {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return rpc.NewClient(conn), nil
}
