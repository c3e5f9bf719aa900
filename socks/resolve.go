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

// Resolve asks the gateway for an address of name by Tor's command RESOLVE (0xF0), which few other gateways
// support. Others reply [ErrCommandNotSupported], hang up, or mistake RESOLVE for CONNECT and reply with an address
// of their own. A reply with a port, or with an unspecified address, is therefore an error that matches
// [ErrProtocol]. The error is a *[net.DNSError] that matches its cause. Its IsNotFound is true if the gateway's
// reply is [ErrHostUnreachable].
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

// ResolveAddr asks the gateway for the name of addr by Tor's command RESOLVE_PTR (0xF1). Its errors are like those
// of [Client.Resolve]. An addr with a zone is an error.
func (c *Client) ResolveAddr(ctx context.Context, addr netip.Addr) (string, error) {
	if !addr.IsValid() || addr.Zone() != "" {
		c.countUnsendable()
		return "", c.dnsError(addr.String(), &net.AddrError{Err: "cannot be sent to a gateway", Addr: addr.String()})
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

// resolvable returns the destination of a RESOLVE of name, which may be an IP literal.
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

// resolve sends RESOLVE or RESOLVE_PTR, closes the connection and returns the address in the reply.
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

// misunderstood returns the error for a reply with a port or an unspecified address. Tor's replies have port 0; some
// gateways take any command for CONNECT, and reply with an address of their own.
func misunderstood(bound wire.Addr) error {
	a := addrFrom("tcp", bound)
	return fmt.Errorf("%w: it replied as to a CONNECT, with the bound address %s", ErrProtocol, &a)
}

// dnsError returns the *net.DNSError for err.
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
