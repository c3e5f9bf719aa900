package resolver

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/mapping"
)

// LookupHost returns the fake IPv4 address of a host, System's addresses of a Direct host, or both loopback
// addresses of localhost. It returns an address literal unchanged.
func (r *Resolver) LookupHost(ctx context.Context, host string) (addrs []string, err error) {
	h, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	if !h.IsName() {
		return []string{host}, nil
	}
	if s := r.system(h); s != nil {
		return s.LookupHost(ctx, host)
	}
	found, err := r.resolve(ctx, "ip", h)
	if err != nil {
		return nil, named(err, host)
	}
	addrs = make([]string, len(found))
	for i, a := range found {
		addrs[i] = a.String()
	}
	return addrs, nil
}

// LookupIPAddr is [Resolver.LookupHost] with [net.IPAddr] results. The address of a literal keeps its zone.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	h, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	if h.IsName() {
		if s := r.system(h); s != nil {
			return s.LookupIPAddr(ctx, host)
		}
	}
	found, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs := make([]net.IPAddr, len(found))
	for i, a := range found {
		addrs[i] = net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()}
	}
	return addrs, nil
}

// LookupIP returns the fake address of a host in the family of network, "ip4" or "ip6"; for "ip" it returns the IPv4 one.
// An address literal of the family is returned unchanged. A literal of the other family gets a fake, like a name; a dial
// to that fake asks the gateway for the literal (RFC 3089, section 3).
func (r *Resolver) LookupIP(ctx context.Context, network, host string) ([]net.IP, error) {
	found, err := r.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	ips := make([]net.IP, len(found))
	for i, a := range found {
		ips[i] = a.AsSlice()
	}
	return ips, nil
}

// LookupNetIP is LookupIP with [netip.Addr] results, none of them IPv4-mapped. For a name that is in the table, it
// allocates nothing but the result.
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	switch network {
	case "ip", "ip4", "ip6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	h, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	if addr := h.Addr(); addr.IsValid() {
		if network == "ip" || addr.Is4() == (network == "ip4") {
			return []netip.Addr{addr}, nil
		}
		found, err := r.resolve(ctx, network, h)
		return found, named(err, host)
	}
	if s := r.system(h); s != nil {
		found, err := lookupDirect(ctx, s, network, rooted(h, host))
		return found, named(err, host)
	}
	found, err := r.resolve(ctx, network, h)
	return found, named(err, host)
}

// parseHost parses the name or address that an application looks up. The error matches mapping.ErrBadName and gives the
// reason. For an empty text it is package net's "no such host".
func parseHost(text string) (names.Host, error) {
	if text == "" {
		return names.Host{}, notFound(text, "")
	}
	host, err := names.Parse(text)
	if err != nil {
		return names.Host{}, failure(text, fmt.Errorf("%w: %w", mapping.ErrBadName, err))
	}
	return host, nil
}

// named returns the error of a lookup with the name as the application wrote it.
func named(err error, name string) error {
	e, ok := err.(*net.DNSError)
	if !ok || e.Name == name {
		return err
	}
	renamed := *e // e may be shared with other lookups
	renamed.Name = name
	return &renamed
}

// LookupPort returns the port of a service. It calls [net.Resolver.LookupPort], which asks no DNS server.
func (r *Resolver) LookupPort(ctx context.Context, network, service string) (port int, err error) {
	return new(net.Resolver).LookupPort(ctx, network, service)
}
