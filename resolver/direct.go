package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/sockslib/sockslib/internal/names"
)

// lookupDirect returns System's addresses of a Direct host in the family of network, none of them IPv4-mapped. System
// expands the name by its search list unless text ends in a dot.
func lookupDirect(ctx context.Context, system *net.Resolver, network, text string) ([]netip.Addr, error) {
	found, err := system.LookupNetIP(ctx, network, text)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// rooted returns the text of a host with a trailing dot if the application wrote one, in any form that IDNA maps to a dot.
func rooted(host names.Host, written string) string {
	for _, dot := range [...]string{".", "。", "．", "｡"} {
		if host.IsName() && strings.HasSuffix(written, dot) {
			return host.String() + "."
		}
	}
	return host.String()
}

// direct returns System's addresses of the Direct host in a question. Without an error there may be none, if the host has
// addresses of the other family alone. If it has no address of either family, the error says that it does not exist: some
// stubs walk on through their search list for that answer only.
func (h *handler) direct(ctx context.Context, system *net.Resolver, network string, host names.Host) ([]netip.Addr, error) {
	addrs, err := h.lookupComplete(ctx, system, network, host)
	if isNotFound(err) {
		other := "ip4"
		if network == "ip4" {
			other = "ip6"
		}
		addrs = nil
		_, err = h.lookupComplete(ctx, system, other, host)
	}
	var unsuitable *net.AddrError
	if errors.As(err, &unsuitable) { // package net's error for a host in the hosts file that lacks the family
		return nil, nil
	}
	return addrs, err
}

// lookupComplete is lookupDirect for the host in a question. The name in a question is complete, so System is asked for it
// with a trailing dot. If System does not find it, and it ends in no search domain and so is not an expansion, System is
// asked without the dot: it may have to expand the name, and the C library finds no name with that dot in the hosts file.
func (h *handler) lookupComplete(ctx context.Context, system *net.Resolver, network string, host names.Host) ([]netip.Addr, error) {
	name := host.String()
	if !host.IsName() {
		return lookupDirect(ctx, system, network, name)
	}
	addrs, err := lookupDirect(ctx, system, network, name+".")
	if isNotFound(err) && !h.list().endsInDomain(name) {
		return lookupDirect(ctx, system, network, name)
	}
	return addrs, err
}
