package testgw

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// known returns the addresses of host without a lookup: a literal itself, otherwise the addresses in Hosts.
func (g *Gateway) known(host string) ([]netip.Addr, bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, true
	}
	addrs, ok := g.Hosts[strings.ToLower(strings.TrimSuffix(host, "."))]
	return addrs, ok
}

// resolve returns the addresses of a target, of any family, in the order in which to try them.
func (g *Gateway) resolve(ctx context.Context, t Target) ([]netip.Addr, error) {
	if t.IP.IsValid() {
		if addrs, ok := g.Hosts[t.IP.String()]; ok {
			return addrs, nil
		}
		return []netip.Addr{t.IP}, nil
	}
	addrs, ok := g.known(t.Name)
	var err error
	if !ok && g.Lookup != nil {
		addrs, err = g.Lookup(ctx, t.Name)
	}
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no such host", Name: t.Name, IsNotFound: true}
	}
	return addrs, err
}

// nameOf returns the alphabetically first name in Hosts that has the address ip.
func (g *Gateway) nameOf(ip netip.Addr) (string, bool) {
	var found string
	for name, addrs := range g.Hosts {
		for _, a := range addrs {
			if a.Unmap() == ip && (found == "" || name < found) {
				found = name
			}
		}
	}
	return found, found != ""
}

// addrOf returns a as a Target, or unspecified if it has no host and port.
func addrOf(a net.Addr) Target {
	if a == nil {
		return unspecified
	}
	if ap, err := netip.ParseAddrPort(a.String()); err == nil {
		return targetOf(ap)
	}
	host, service, err := net.SplitHostPort(a.String())
	if err != nil {
		return unspecified
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil || host == "" {
		return unspecified
	}
	return Target{ATYP: Name, Name: host, Port: uint16(port)}
}
