package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/internal/wire"
)

// Resolve asks the gateway for an address of name by Tor's RESOLVE, 0xF0, which few gateways but Tor's
// have. Others reply ErrCommandNotSupported, hang up, or take it for CONNECT and reply with their own address:
// a reply with a port, or with an unspecified address, is ErrProtocol. The error is a *[net.DNSError] that matches
// what its cause matches; IsNotFound is true if the gateway says that it cannot reach the host.
func (c *Client) Resolve(ctx context.Context, name string) (netip.Addr, error) {
	dst, err := resolvable(name)
	if err != nil {
		c.countUnsendable()
		return netip.Addr{}, c.dnsError(name, err)
	}
	bound, err := c.resolve(ctx, wire.Resolve, dst)
	switch {
	case err != nil:
	case bound.IP.IsUnspecified():
		err = misunderstood(bound)
	case !bound.IP.IsValid():
		err = fmt.Errorf("%w: it resolved to no address", ErrProtocol)
	}
	if err != nil {
		return netip.Addr{}, c.dnsError(name, err)
	}
	return bound.IP, nil
}

// ResolveAddr asks the gateway for the name of addr by Tor's RESOLVE_PTR, 0xF1. Its errors are as Resolve's.
func (c *Client) ResolveAddr(ctx context.Context, addr netip.Addr) (string, error) {
	if !addr.IsValid() || addr.Zone() != "" {
		c.countUnsendable()
		return "", c.dnsError(addr.String(), &net.AddrError{Err: "not an address that a gateway can be sent", Addr: addr.String()})
	}
	bound, err := c.resolve(ctx, wire.ResolvePTR, Addr{Net: "tcp", IP: addr.Unmap()})
	if err == nil && bound.Name == "" {
		err = fmt.Errorf("%w: it resolved to no name", ErrProtocol)
	}
	if err != nil {
		return "", c.dnsError(addr.String(), err)
	}
	return bound.Name, nil
}

func resolvable(name string) (Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
		return Addr{Net: "tcp", IP: ip.Unmap()}, nil
	}
	canonical, err := names.Canonical(name)
	if err != nil {
		return Addr{}, &net.AddrError{Err: err.Error(), Addr: fmt.Sprintf("%q", name)}
	}
	return Addr{Net: "tcp", Name: canonical}, nil
}

// resolve sends a request whose reply is all there is.
func (c *Client) resolve(ctx context.Context, cmd wire.Command, dst Addr) (wire.Addr, error) {
	g, err := c.request(ctx, cmd, dst, nil)
	if err != nil {
		return wire.Addr{}, err
	}
	g.conn.Close()
	if g.bound.Port != 0 {
		return wire.Addr{}, misunderstood(g.bound)
	}
	return g.bound, nil
}

// misunderstood is the error for a reply that is not Tor's, which has port 0 and what was asked for. Some gateways
// take any command for CONNECT, and reply with an address of their own.
func misunderstood(bound wire.Addr) error {
	a := addrFrom("tcp", bound)
	return fmt.Errorf("%w: it replied as to a CONNECT, with the bound address %s", ErrProtocol, &a)
}

func (c *Client) dnsError(name string, err error) error {
	var timeout interface{ Timeout() bool }
	return &net.DNSError{
		Err:        err.Error(),
		UnwrapErr:  err,
		Name:       name,
		Server:     c.source().String(),
		IsTimeout:  errors.As(err, &timeout) && timeout.Timeout(),
		IsNotFound: errors.Is(err, ErrHostUnreachable),
	}
}
