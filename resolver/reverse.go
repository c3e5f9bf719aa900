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
// for an address literal (see [Resolver.LookupIP]), LookupAddr returns the literal. A reserved address that stands for no
// name is not found. A loopback address has the name localhost. The names of other addresses come from System if the
// address is Direct, otherwise from Upstream.
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
		return r.fakeName(ip, addr)
	}
	if ip.IsLoopback() {
		return []string{"localhost."}, nil
	}
	if s := r.system(names.FromAddr(ip)); s != nil {
		return s.LookupAddr(ctx, addr)
	}
	return r.upstreamNames(ctx, ip, addr)
}

// fakeName returns the name of an address of the reserved space. text is the address as the application wrote it.
func (r *Resolver) fakeName(ip netip.Addr, text string) ([]string, error) {
	name, ok := r.Table.Name(ip)
	switch {
	case !ok:
		return nil, notFound(text, "")
	case names.MaybeAddr(name): // an address literal, since a name in canonical form never looks like one
		return []string{name}, nil
	default:
		return []string{name + "."}, nil
	}
}

// upstreamNames returns the names that Upstream has for an address. text is the address as the application wrote it.
func (r *Resolver) upstreamNames(ctx context.Context, ip netip.Addr, text string) ([]string, error) {
	arpa, err := dns.ReverseAddr(ip.String())
	if err != nil {
		return nil, failure(text, err) // not reached: ip is valid and has no zone
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
	return found, checkMalformed(err, text, len(records), len(found))
}

// answerPTR answers a PTR question: from the table for addresses of the reserved space, with localhost for loopback,
// from System for Direct addresses, and from Upstream for all others.
func (h *handler) answerPTR(x *exchange) {
	r := h.resolver
	addr, ok := parseArpa(x.question().Name)
	known := ok && r.knows(addr)
	if !known && (!ok || r.system(names.FromAddr(addr)) == nil) {
		h.forward(x)
		return
	}
	x.fillBy(!known, func(ctx context.Context) {
		found, err := r.LookupAddr(ctx, addr.String())
		if err != nil {
			x.failWith(err)
			return
		}
		for _, name := range found {
			x.r.Answer = append(x.r.Answer, &dns.PTR{Hdr: h.header(x.question().Name, dns.TypePTR), Ptr: dns.Fqdn(name)})
		}
	})
}

// parseArpa returns the address whose PTR records have the given owner, such as 1.2.0.192.in-addr.arpa for 192.0.2.1. It
// reports false for any other name, also for 2.0.192.in-addr.arpa, which stands for a network.
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
		addr[15-i/2] |= byte(value) << (4 * (i % 2)) // the last byte comes first, and of each byte the lower half
	}
	return netip.AddrFrom16(addr), true
}
