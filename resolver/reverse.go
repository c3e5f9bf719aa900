package resolver

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

// LookupAddr returns the name that a fake address stands for, with a trailing dot as in package net. If the fake stands
// for an address literal (see [Resolver.LookupIP]), LookupAddr returns that. Other addresses of the reserved space have
// no name, loopback is localhost, and Upstream is asked for the names of all others.
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
		if names.MaybeAddr(name) { // no canonical name is like an address
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
	owner, err := parseHost(arpa)
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

// parseArpa returns the address that the owner of a PTR record stands for. It reports false for a name of fewer labels,
// which stands for no single address.
func parseArpa(name string) (netip.Addr, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if reversed, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return parseReversedIPv4(reversed)
	}
	if reversed, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		return parseReversedIPv6(reversed)
	}
	return netip.Addr{}, false
}

// parseReversedIPv4 parses an address whose bytes are in reverse order, such as 4.3.2.1 (RFC 1035, section 3.5).
func parseReversedIPv4(reversed string) (netip.Addr, bool) {
	numbers := strings.Split(reversed, ".")
	slices.Reverse(numbers)
	addr, err := netip.ParseAddr(strings.Join(numbers, "."))
	return addr, err == nil && addr.Is4()
}

// parseReversedIPv6 parses an address that is written as 32 hexadecimal digits in reverse order, with dots between them
// (RFC 3596, section 2.5).
func parseReversedIPv6(reversed string) (netip.Addr, bool) {
	digits := strings.Split(reversed, ".")
	if len(digits) != 32 {
		return netip.Addr{}, false
	}
	var addr [16]byte
	for i, digit := range digits {
		if len(digit) != 1 {
			return netip.Addr{}, false
		}
		value, err := strconv.ParseUint(digit, 16, 4)
		if err != nil {
			return netip.Addr{}, false
		}
		addr[15-i/2] |= byte(value) << (4 * (i % 2)) // the lower half of a byte comes first
	}
	return netip.AddrFrom16(addr), true
}
