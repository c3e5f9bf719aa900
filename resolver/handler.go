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
	headerSize = 12   // bytes of a message's header (RFC 1035, section 4.1.1)
	ednsSize   = 1232 // bytes of the longest response over UDP, which no path fragments; the OPT record announces it too
)

// handler answers the DNS queries of NetResolver and Server. fastResponse answers the simplest queries, begin all others;
// reverse.go has the answers to PTR questions. A handler is safe for concurrent use.
type handler struct {
	resolver *Resolver
	list     func() *searchList // the search list of the clients' stubs
	ttl      uint32             // of the records from the table, in seconds
}

// begin returns the exchange for a query. Its response is complete unless wait is set. udp bounds the response to the
// size of a datagram. begin returns nil if msg must not be answered, because it is shorter than a header or is a response.
// msg may be reused after begin returns.
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

// fill answers the question of x by its type, or sets wait.
func (h *handler) fill(x *exchange) {
	q := x.question()
	if q.Qclass != dns.ClassINET {
		x.fail(dns.RcodeNotImplemented, "")
		return
	}
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeANY:
		h.answerHost(x)
	case dns.TypePTR:
		h.answerPTR(x)
	case dns.TypeNone, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, dns.TypeIXFR, dns.TypeAXFR, dns.TypeMAILB, dns.TypeMAILA:
		x.fail(dns.RcodeNotImplemented, "")
	default:
		h.forward(x)
	}
}

// answerHost answers a question about a answerHost: A, AAAA, HTTPS (type 65), SVCB (type 64) or ANY. The search rule decides for which
// name it answers.
func (h *handler) answerHost(x *exchange) {
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
		if host, err = names.Parse(name); err != nil { // without its search domain, such as 1.2
			x.fail(dns.RcodeNameError, reasonBadName)
			return
		}
	}
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA:
		h.address(x, host)
	case dns.TypeANY: // RFC 8482, section 4.2
		if !h.denyAbsent(x, host) {
			x.r.Answer = append(x.r.Answer, &dns.HINFO{Hdr: h.header(q.Name, dns.TypeHINFO), Cpu: "RFC8482"})
		}
	default: // HTTPS and SVCB records can carry real addresses: no data
		h.denyAbsent(x, host)
	}
}

// typed returns the name whose addresses answer a question for q, a name in canonical form: the name that the user
// typed, according to the search rule. If the answer must be that q does not exist, typed returns the search domain at
// the end of q as denied.
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

// denyAbsent reports whether specialNames says that host does not exist. If so, it also sets the RCODE of x to
// NXDOMAIN.
func (h *handler) denyAbsent(x *exchange, host names.Host) bool {
	if host.IsName() && meaningOf(host.String()) == absent {
		x.r.Rcode = dns.RcodeNameError
		return true
	}
	return false
}

// address answers with the addresses of a host. The owner of the records is the name in question, even if the search rule
// has chosen another host.
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
	x.fillBy(system != nil || r.verifies(host), func(ctx context.Context) {
		var addrs []netip.Addr
		var err error
		if system != nil {
			addrs, err = h.direct(ctx, system, network, host)
		} else {
			addrs, err = r.resolve(ctx, network, host)
		}
		if err != nil {
			x.failWith(err)
			return
		}
		for _, addr := range addrs {
			x.r.Answer = append(x.r.Answer, addressRecord(h.header(q.Name, q.Qtype), addr))
		}
	})
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

// forward answers with Upstream's answer. Without an Upstream, and for special and Direct names, which Upstream must not be
// asked about, it answers no data.
func (h *handler) forward(x *exchange) {
	q := x.question()
	if host, err := names.Parse(strings.TrimSuffix(q.Name, ".")); err == nil && host.IsName() {
		if h.denyAbsent(x, host) || meaningOf(host.String()) != ordinary || h.resolver.system(host) != nil {
			return
		}
	}
	up := h.resolver.upstream()
	if up == nil {
		return
	}
	x.fillBy(true, func(ctx context.Context) {
		answer, err := up.exchange(ctx, q.Name, q.Qtype)
		if err != nil {
			x.failWith(err)
			return
		}
		if x.r.Rcode = answer.Rcode; x.r.Rcode > 0xf {
			x.r.Rcode = dns.RcodeServerFailure // an extended RCODE concerns the query to Upstream, not the client's
		}
		x.r.Answer, x.r.Ns = answer.Answer, answer.Ns
	})
}

// header returns the header of a record from the table.
func (h *handler) header(owner string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: rrtype, Class: dns.ClassINET, Ttl: h.ttl}
}
