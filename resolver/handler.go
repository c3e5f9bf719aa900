package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

const (
	headerSize = 12   // RFC 1035, section 4.1.1
	ednsSize   = 1232 // the datagram that no path fragments; what is offered to clients
)

// handler answers DNS messages, for NetResolver and Server alike. It is safe for concurrent use.
type handler struct {
	resolver *Resolver
	searches *searches
	ttl      uint32 // seconds
}

// reply returns the response to a query of at most limit octets; over UDP the client's own limit counts
// too. It is nil where none is due: for what is too short to be a query, or is a response. ctx bounds
// what Upstream or System is asked for.
func (h *handler) reply(ctx context.Context, query []byte, a asker, udp bool) []byte {
	if len(query) < headerSize || query[2]&0x80 != 0 {
		return nil
	}
	a.id = binary.BigEndian.Uint16(query)
	if query[2]>>3&0xf != dns.OpcodeQuery {
		return headerOnly(query, dns.RcodeNotImplemented)
	}
	var m dns.Msg
	if binary.BigEndian.Uint16(query[4:]) != 1 || m.Unpack(query) != nil || len(m.Question) != 1 {
		return headerOnly(query, dns.RcodeFormatError)
	}
	r := new(dns.Msg).SetReply(&m)
	r.RecursionAvailable = true
	r.Compress = true
	limit := dns.MinMsgSize
	if opt := m.IsEdns0(); opt != nil {
		limit = max(limit, int(opt.UDPSize()))
		r.SetEdns0(ednsSize, opt.Do()) // RFC 6891, section 6.2.5; RFC 3225 copies DO
	}
	switch options(&m) {
	case one:
		h.fill(ctx, r, a)
	case unknownVersion:
		r.Rcode = dns.RcodeBadVers
	case several:
		r.Rcode = dns.RcodeFormatError // RFC 6891, section 6.1.1
	}
	if !udp {
		limit = dns.MaxMsgSize
	}
	r.Truncate(limit)
	packed, err := r.Pack()
	if err != nil {
		return headerOnly(query, dns.RcodeServerFailure)
	}
	return packed
}

// headerOnly is the response to what could not be read, or not be packed.
func headerOnly(query []byte, rcode byte) []byte {
	r := make([]byte, headerSize)
	copy(r, query[:3])
	r[2] = r[2]&0x79 | 0x80 // QR; opcode and RD as asked, without AA and TC
	r[3] = 0x80 | rcode     // RA
	return r
}

type edns int

const (
	one edns = iota // or none
	unknownVersion
	several
)

func options(m *dns.Msg) edns {
	n, version := 0, uint8(0)
	for _, rr := range m.Extra {
		if opt, ok := rr.(*dns.OPT); ok {
			n++
			version = opt.Version()
		}
	}
	switch {
	case n > 1:
		return several
	case version != 0:
		return unknownVersion
	default:
		return one
	}
}

// fill answers the one question of r.
func (h *handler) fill(ctx context.Context, r *dns.Msg, a asker) {
	q := r.Question[0]
	if q.Qclass != dns.ClassINET {
		r.Rcode = dns.RcodeNotImplemented
		return
	}
	switch q.Qtype {
	case dns.TypeA, dns.TypeAAAA:
		h.address(ctx, r, a)
	case dns.TypePTR:
		h.pointer(ctx, r)
	case dns.TypeHTTPS, dns.TypeSVCB: // they could hint at real addresses
	case dns.TypeANY: // RFC 8482, section 4.2
		r.Answer = append(r.Answer, &dns.HINFO{Hdr: h.header(q.Name, dns.TypeHINFO), Cpu: "RFC8482"})
	case dns.TypeNone, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, dns.TypeIXFR, dns.TypeAXFR, dns.TypeMAILB, dns.TypeMAILA:
		r.Rcode = dns.RcodeNotImplemented
	default:
		h.forward(ctx, r)
	}
}

// address answers with the fake of the name that was typed. Where that is not the name in question, it
// is given as its alias, good for this lookup alone.
func (h *handler) address(ctx context.Context, r *dns.Msg, a asker) {
	q := r.Question[0]
	typed := strings.TrimSuffix(q.Name, ".")
	owner, ttl := q.Name, h.ttl
	if name, err := canonical(typed); err == nil {
		var v verdict
		switch typed, v = h.searches.typed(a, q.Qtype, name); v {
		case deny:
			fail(r, dns.RcodeNameError, "may be an expansion by a search list: no answer before the next candidate")
			return
		case retry:
			fail(r, dns.RcodeServerFailure, "several lookups of names that a search list makes the same")
			return
		}
		if typed != name {
			owner, ttl = typed+".", 0
			r.Answer = append(r.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: owner})
		}
	}
	network := "ip4"
	if q.Qtype == dns.TypeAAAA {
		network = "ip6"
	}
	found, err := h.resolver.lookupName(ctx, network, typed)
	if err != nil {
		r.Answer = nil
		if isNotFound(err) && h.resolver.system(typed) != nil {
			return // the other family may have some
		}
		failWith(r, err)
		return
	}
	for _, addr := range found {
		r.Answer = append(r.Answer, addressRecord(owner, addr, ttl))
	}
}

func addressRecord(owner string, addr netip.Addr, ttl uint32) dns.RR {
	header := dns.RR_Header{Name: owner, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}
	if addr.Is4() {
		return &dns.A{Hdr: header, A: addr.AsSlice()}
	}
	header.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: header, AAAA: addr.AsSlice()}
}

// pointer answers for the addresses of the table, loopback, and what is Direct; the others are forwarded.
func (h *handler) pointer(ctx context.Context, r *dns.Msg) {
	q := r.Question[0]
	addr, ok := parseArpa(q.Name)
	if !ok || !h.resolver.knows(addr) {
		h.forward(ctx, r)
		return
	}
	found, err := h.resolver.LookupAddr(ctx, addr.String())
	if err != nil {
		failWith(r, err)
		return
	}
	for _, name := range found {
		r.Answer = append(r.Answer, &dns.PTR{Hdr: h.header(q.Name, dns.TypePTR), Ptr: dns.Fqdn(name)})
	}
}

// forward answers as Upstream does; without one, or for names that no DNS may see, there is no data.
func (h *handler) forward(ctx context.Context, r *dns.Msg) {
	q := r.Question[0]
	up := h.resolver.upstream()
	if up == nil || private(q.Name) || h.resolver.system(q.Name) != nil {
		return
	}
	answer, err := up.exchange(ctx, q.Name, q.Qtype)
	if err != nil {
		failWith(r, err)
		return
	}
	if r.Rcode = answer.Rcode; r.Rcode > 0xf {
		r.Rcode = dns.RcodeServerFailure // an extended one is about that hop
	}
	r.Answer, r.Ns = answer.Answer, answer.Ns
}

func (h *handler) header(owner string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: rrtype, Class: dns.ClassINET, Ttl: h.ttl}
}

// failWith answers with an error of a lookup.
func failWith(r *dns.Msg, err error) {
	rcode := dns.RcodeServerFailure
	if isNotFound(err) {
		rcode = dns.RcodeNameError
	}
	fail(r, rcode, err.Error())
}

// fail answers with an RCODE, and to clients with EDNS says why (RFC 8914).
func fail(r *dns.Msg, rcode int, why string) {
	r.Rcode = rcode
	if opt := r.IsEdns0(); opt != nil {
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeOther, ExtraText: why})
	}
}

func isNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}
