package resolver

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

// LookupAddr returns the name that a fake address stands for, rooted as package net's names are; an
// address literal that a fake stands for (see LookupIP) is returned as it is. Of the other addresses in the
// reserved space there is none; loopback is localhost; the rest is for Upstream.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "unrecognized address", Name: addr}
	}
	ip = ip.Unmap().WithZone("")
	if err := ctx.Err(); err != nil {
		return nil, failure(addr, err)
	}
	if r == nil || r.Table == nil {
		return nil, failure(addr, errNoTable)
	}
	if r.Table.Contains(ip) {
		name, ok := r.Table.Name(ip)
		if !ok {
			return nil, notFound(addr, "")
		}
		if names.MaybeAddr(name) { // an address, since it is canonical
			return []string{name}, nil
		}
		return []string{name + "."}, nil
	}
	if ip.IsLoopback() {
		return []string{"localhost."}, nil
	}
	if s := r.system(names.FromAddr(ip)); s != nil {
		return s.LookupAddr(ctx, addr)
	}
	arpa, err := dns.ReverseAddr(ip.String())
	if err != nil {
		return nil, &net.DNSError{Err: "unrecognized address", Name: addr}
	}
	owner, err := parse(arpa)
	if err != nil {
		return nil, err
	}
	records, err := lookupRecords[*dns.PTR](ctx, r, owner, dns.TypePTR)
	var found []string
	for _, ptr := range records {
		if validTarget(ptr.Ptr) {
			found = append(found, ptr.Ptr)
		}
	}
	return found, complete(err, addr, len(records), len(found))
}

// parseArpa returns the address that the owner name of a PTR record is for (RFC 1035, section 3.5;
// RFC 3596, section 2.5). A name of fewer labels is of no one address.
func parseArpa(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if v4, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		octets := strings.Split(v4, ".")
		slices.Reverse(octets)
		addr, err := netip.ParseAddr(strings.Join(octets, "."))
		return addr, err == nil && addr.Is4()
	}
	v6, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(v6) != 63 {
		return netip.Addr{}, false
	}
	var b strings.Builder // 32 nibbles, the last first
	for i := 62; i >= 0; i -= 2 {
		if i > 0 && v6[i-1] != '.' {
			return netip.Addr{}, false
		}
		b.WriteByte(v6[i])
		if i%8 == 0 && i > 0 {
			b.WriteByte(':')
		}
	}
	addr, err := netip.ParseAddr(b.String())
	return addr, err == nil && addr.Is6() && addr.Zone() == ""
}
