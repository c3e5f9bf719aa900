package resolver

import (
	"context"
	"net"
	"net/netip"
)

// LookupHost returns the fake IPv4 address of a host; an address literal is returned as it is.
func (r *Resolver) LookupHost(ctx context.Context, host string) (addrs []string, err error) {
	if host == "" {
		return nil, notFound(host, "")
	}
	if _, ok := literal(host); ok {
		return []string{host}, nil
	}
	if s := r.system(host); s != nil {
		return s.LookupHost(ctx, host)
	}
	found, err := r.resolve(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs = make([]string, len(found))
	for i, a := range found {
		addrs[i] = a.String()
	}
	return addrs, nil
}

// LookupIPAddr returns the fake IPv4 address of a host; an address literal is parsed, with its zone.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	if _, ok := literal(host); !ok {
		if s := r.system(host); s != nil {
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

// LookupIP returns the fake address of a host in the family of the network, "ip4" or "ip6"; for "ip" it
// is the IPv4 one. An address literal of the other family is a name too: its fake leads to it through
// the gateway (RFC 3089, section 3).
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

// LookupNetIP is LookupIP with the addresses as netip.Addrs, none of them IPv4-mapped. For a name that
// the table knows it allocates the result alone.
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	switch network {
	case "ip", "ip4", "ip6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	if host == "" {
		return nil, notFound(host, "")
	}
	if addr, ok := literal(host); ok {
		if network == "ip" || addr.Is4() == (network == "ip4") {
			return []netip.Addr{addr}, nil
		}
		return r.resolve(ctx, network, addr.String())
	}
	return r.lookupName(ctx, network, host)
}

// lookupName is LookupNetIP of what is a name.
func (r *Resolver) lookupName(ctx context.Context, network, name string) ([]netip.Addr, error) {
	s := r.system(name)
	if s == nil {
		return r.resolve(ctx, network, name)
	}
	found, err := s.LookupNetIP(ctx, network, name)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// LookupPort returns the port of a service. Ports are not in the DNS, and so not for the gateway to
// know: this is net.Resolver's own.
func (r *Resolver) LookupPort(ctx context.Context, network, service string) (port int, err error) {
	return new(net.Resolver).LookupPort(ctx, network, service)
}
