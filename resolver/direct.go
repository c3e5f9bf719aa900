package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/names"
)

// lookupDirect returns System's addresses of a Direct host in the family of network, none of them IPv4-mapped.
func lookupDirect(ctx context.Context, system *net.Resolver, network, text string) ([]netip.Addr, error) {
	found, err := system.LookupNetIP(ctx, network, text)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

// direct returns System's addresses of the Direct host in a question. Without an error there may be none, if the host has
// addresses of the other family alone. If it has no address of either family, the error says that it does not exist: some
// stubs walk on through their search list for that answer only.
func direct(ctx context.Context, system *net.Resolver, network string, host names.Host) ([]netip.Addr, error) {
	addrs, err := lookupDirect(ctx, system, network, host.String())
	if isNotFound(err) {
		other := "ip4"
		if network == "ip4" {
			other = "ip6"
		}
		addrs = nil
		_, err = lookupDirect(ctx, system, other, host.String())
	}
	var unsuitable *net.AddrError
	if errors.As(err, &unsuitable) { // package net's error for a host in the hosts file that lacks the family
		return nil, nil
	}
	return addrs, err
}
