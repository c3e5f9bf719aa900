package resolver

import (
	"context"
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

const (
	headerSize = 12   // bytes, RFC 1035, section 4.1.1
	ednsSize   = 1232 // bytes: the largest datagram that no path fragments, which is offered, and the longest UDP response
)

// handler answers DNS queries, for NetResolver and Server. begin dispatches on the type in question. It is safe for
// concurrent use.
type handler struct {
	resolver *Resolver
	list     func() *searchList // of the clients' stubs
	ttl      uint32             // of every response from the table, in seconds
}

// begin returns the exchange for a query, complete unless its wait is set. udp bounds the response to the size of a
// datagram. begin returns nil if msg must not be answered: it is too short for a query, or is a response. msg is not
// used after begin returns.
func (h *handler) begin(msg []byte, udp bool) *exchange {
	if len(msg) < headerSize || msg[2]&0x80 != 0 {
		return nil
	}
	opcode := msg[2] >> 3 & 0xf
	var m dns.Msg
	if err := m.Unpack(msg); err != nil {
		if opcode != dns.OpcodeQuery {
			return &exchange{raw: headerOnly(msg, dns.RcodeNotImplemented)}
		}
		return &exchange{raw: headerOnly(msg, dns.RcodeFormatError)}
	}
	x := newExchange(&m, udp, h.ttl)
	switch {
	case opcode != dns.OpcodeQuery:
		x.fail(dns.RcodeNotImplemented, "")
	case len(m.Question) != 1, !hasAllRecords(&m, msg), countOPT(&m) > 1: // RFC 6891, section 6.1.1
		x.fail(dns.RcodeFormatError, "")
	case x.opt != nil && m.IsEdns0().Version() != 0:
		x.fail(dns.RcodeBadVers, "")
	default:
		h.fill(x)
	}
	x.soa("")
	return x
}

// hasAllRecords reports whether m has as many records as the header of msg, its wire form, announces.
func hasAllRecords(m *dns.Msg, msg []byte) bool {
	for i, n := range []int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		if n != int(binary.BigEndian.Uint16(msg[4+2*i:])) {
			return false
		}
	}
	return true
}

// countOPT returns the number of OPT records.
func countOPT(m *dns.Msg) (n int) {
	for _, rr := range m.Extra {
		if rr.Header().Rrtype == dns.TypeOPT {
			n++
		}
	}
	return n
}

// fill answers the question of x, or sets wait.
func (h *handler) fill(x *exchange) {
	q := x.question()
	if q.Qclass != dns.ClassINET {
		x.fail(dns.RcodeNotImplemented, "")
		return
	}
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeANY:
		h.host(x)
	case dns.TypePTR:
		h.pointer(x)
	case dns.TypeNone, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, dns.TypeIXFR, dns.TypeAXFR, dns.TypeMAILB, dns.TypeMAILA:
		x.fail(dns.RcodeNotImplemented, "")
	default:
		h.forward(x)
	}
}

// host answers a question about a host: its addresses, HTTPS or SVCB (types 65 and 64), or ANY. It is answered for the
// name that was typed, by the search rule.
func (h *handler) host(x *exchange) {
	q := x.question()
	if q.Name == "." {
		return // no data
	}
	host, err := names.Parse(strings.TrimSuffix(q.Name, "."))
	if err != nil {
		x.fail(dns.RcodeNameError, reasonBadName)
		return
	}
	if host.IsName() {
		name, denied := h.typed(host.String())
		if denied != "" {
			x.fail(dns.RcodeNameError, reasonExpansion)
			x.soa(denied)
			return
		}
		if host, err = names.Parse(name); err != nil { // q without a search domain at its end is no host name
			x.fail(dns.RcodeNameError, reasonBadName)
			return
		}
	}
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA:
		h.address(x, host)
	case dns.TypeANY: // RFC 8482, section 4.2
		if !h.absent(x, host) {
			x.r.Answer = append(x.r.Answer, &dns.HINFO{Hdr: h.header(q.Name, dns.TypeHINFO), Cpu: "RFC8482"})
		}
	default: // HTTPS and SVCB records can carry real addresses: no data
		h.absent(x, host)
	}
}

// typed returns the name whose addresses answer a question for q, a name in canonical form. If q must be denied, typed
// returns the search domain at its end instead.
func (h *handler) typed(q string) (name, denied string) {
	r := h.resolver
	list := h.list()
	switch {
	case len(list.domains) == 0 || r.isSpecial(q):
		return q, ""
	case r != nil && r.Verify:
		return list.onion(q), ""
	default:
		return list.typed(q, r.isSpecial)
	}
}

// absent denies a host that does not exist by specialNames, and reports whether it did.
func (h *handler) absent(x *exchange, host names.Host) bool {
	if host.IsName() && meaningOf(host.String()) == absent {
		x.r.Rcode = dns.RcodeNameError
		return true
	}
	return false
}

// address answers with the addresses of a host. The owner of the records is the name in question, whatever the host.
func (h *handler) address(x *exchange, host names.Host) {
	if host.IsName() && meaningOf(host.String()) == addressless {
		return // no data
	}
	r, q := h.resolver, x.question()
	system := r.system(host)
	network := "ip4"
	if q.Qtype == dns.TypeAAAA {
		network = "ip6"
	}
	answer := func(ctx context.Context) {
		found, err := r.lookupBy(ctx, system, network, host)
		if system != nil && isNotFound(err) {
			return // no data: the other family may have addresses
		}
		if err != nil {
			x.failWith(err)
			return
		}
		for _, addr := range found {
			x.r.Answer = append(x.r.Answer, addressRecord(h.header(q.Name, q.Qtype), addr))
		}
	}
	if system != nil || r.verifies(host) {
		x.wait = answer
		return
	}
	answer(context.Background())
}

// addressRecord returns the A or AAAA record of an address.
func addressRecord(header dns.RR_Header, addr netip.Addr) dns.RR {
	if addr.Is4() {
		header.Rrtype = dns.TypeA
		return &dns.A{Hdr: header, A: addr.AsSlice()}
	}
	header.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()}
}

// pointer answers a PTR question: for addresses of the reserved space and of loopback, and for Direct ones. Others are
// forwarded.
func (h *handler) pointer(x *exchange) {
	r := h.resolver
	addr, ok := parseArpa(x.question().Name)
	known := ok && r.knows(addr)
	if !known && (!ok || r.system(names.FromAddr(addr)) == nil) {
		h.forward(x)
		return
	}
	answer := func(ctx context.Context) {
		found, err := r.LookupAddr(ctx, addr.String())
		if err != nil {
			x.failWith(err)
			return
		}
		for _, name := range found {
			x.r.Answer = append(x.r.Answer, &dns.PTR{Hdr: h.header(x.question().Name, dns.TypePTR), Ptr: dns.Fqdn(name)})
		}
	}
	if !known {
		x.wait = answer
		return
	}
	answer(context.Background())
}

// forward has Upstream answer. Without an Upstream, and for names that no DNS may be asked about, there is no data.
func (h *handler) forward(x *exchange) {
	q := x.question()
	if host, err := names.Parse(strings.TrimSuffix(q.Name, ".")); err == nil && host.IsName() {
		if h.absent(x, host) || meaningOf(host.String()) != ordinary || h.resolver.system(host) != nil {
			return
		}
	}
	up := h.resolver.upstream()
	if up == nil {
		return
	}
	x.wait = func(ctx context.Context) {
		answer, err := up.exchange(ctx, q.Name, q.Qtype)
		if err != nil {
			x.failWith(err)
			return
		}
		if x.r.Rcode = answer.Rcode; x.r.Rcode > 0xf {
			x.r.Rcode = dns.RcodeServerFailure // extended RCODEs concern the hop to Upstream alone
		}
		x.r.Answer, x.r.Ns = answer.Answer, answer.Ns
	}
}

// header returns the header of a record from the table.
func (h *handler) header(owner string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: rrtype, Class: dns.ClassINET, Ttl: h.ttl}
}
