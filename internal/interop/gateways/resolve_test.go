package gateways

import (
	"context"
	"net/netip"

	"github.com/sockslib/sockslib/socks"
)

func resolving(name string) func(context.Context, *socks.Client) error {
	return func(ctx context.Context, c *socks.Client) error {
		_, err := c.Resolve(ctx, name)
		return err
	}
}

func resolvingAddr(addr netip.Addr) func(context.Context, *socks.Client) error {
	return func(ctx context.Context, c *socks.Client) error {
		_, err := c.ResolveAddr(ctx, addr)
		return err
	}
}
