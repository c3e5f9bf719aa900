package resolver

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

// The fast path answers the simplest queries without building a dns.Msg: one question for an A or AAAA record of a name
// that gets a fake, or that the search rule denies. begin answers all other queries; for a simple query, it would give
// the same response.

// fastResponse appends the response to a query to dst, or returns nil if begin must answer the query.
func (h *handler) fastResponse(dst, query []byte) []byte {
	r := h.resolver
	if r == nil || r.Table == nil || r.Verify {
		return nil
	}
	q, ok := parseSimpleQuery(query)
	if !ok || !h.getsFake(q.name) {
		return nil
	}
	name := q.name
	if list := h.list(); len(list.domains) > 0 {
		var denied string
		if name, denied = list.typed(q.name, r.isSpecial); denied != "" {
			return h.fastDenial(dst, query, q, denied)
		}
		if name != q.name && !h.getsFake(name) {
			return nil
		}
	}
	network := "ip4"
	if q.qtype == dns.TypeAAAA {
		network = "ip6"
	}
	addr, err := r.Table.Assign(network, name)
	if err != nil {
		return nil // begin answers with the reason
	}
	dst = q.appendHeader(dst, query, dns.RcodeSuccess, 1, 0)
	dst = append(dst, 0xc0, headerSize) // the name in question (RFC 1035, section 4.1.4)
	dst = binary.BigEndian.AppendUint16(dst, q.qtype)
	dst = binary.BigEndian.AppendUint16(dst, dns.ClassINET)
	dst = binary.BigEndian.AppendUint32(dst, h.ttl)
	dst = binary.BigEndian.AppendUint16(dst, uint16(addr.BitLen()/8))
	dst = append(dst, addr.AsSlice()...)
	return q.appendOption(dst, "")
}

// getsFake reports whether a name in canonical form gets a fake.
func (h *handler) getsFake(name string) bool {
	return !h.resolver.isSpecial(name) || meaningOf(name) == hidden
}

// fastDenial appends the response that makes a stub go on to the next name of its list. domain is the search domain at
// the end of the name in question.
func (h *handler) fastDenial(dst, query []byte, q simpleQuery, domain string) []byte {
	if name, err := names.Canonical(q.name); err != nil || name != q.name {
		return nil // begin answers with the reason
	}
	dst = q.appendHeader(dst, query, dns.RcodeNameError, 0, 1)
	owner := headerSize + len(q.name) - len(domain) // the offset of domain in the name in question
	dst = append(dst, 0xc0|byte(owner>>8), byte(owner))
	dst = binary.BigEndian.AppendUint16(dst, dns.TypeSOA)
	dst = binary.BigEndian.AppendUint16(dst, dns.ClassINET)
	dst = binary.BigEndian.AppendUint32(dst, h.ttl)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(soaNames)+5*4))
	dst = append(dst, soaNames...)
	for _, field := range [...]uint32{1, soaRefresh, soaRetry, soaExpire, h.ttl} {
		dst = binary.BigEndian.AppendUint32(dst, field)
	}
	return q.appendOption(dst, reasonExpansion)
}

// soaNames is the wire form of soaServer and soaMailbox.
const soaNames = "\x09localhost\x00\x06nobody\x07invalid\x00"

// simpleQuery is a query that the fast path may answer.
type simpleQuery struct {
	name  string // in lower case; its labels have letters, digits, hyphens and underscores only
	qtype uint16 // A or AAAA
	end   int    // the offset of the first byte after the question
	edns  bool   // the query has an OPT record
	do    byte   // the DO bit of the OPT record, in its place (RFC 3225)
}

// parseSimpleQuery parses a query, and reports whether it is simple: a standard query with one question of class IN and
// no other record than an OPT record of version 0 without options.
func parseSimpleQuery(query []byte) (q simpleQuery, ok bool) {
	if !hasSimpleHeader(query) {
		return q, false
	}
	if q.name, q.end, ok = parseSimpleName(query, headerSize); !ok || len(query) < q.end+4 {
		return q, false
	}
	q.qtype = binary.BigEndian.Uint16(query[q.end:])
	if q.qtype != dns.TypeA && q.qtype != dns.TypeAAAA || binary.BigEndian.Uint16(query[q.end+2:]) != dns.ClassINET {
		return q, false
	}
	q.end += 4
	switch binary.BigEndian.Uint16(query[10:]) { // ARCOUNT
	case 0:
		return q, len(query) == q.end
	case 1:
		q.edns = true
		q.do, ok = parseSimpleOPT(query[q.end:])
		return q, ok
	default:
		return q, false
	}
}

// parseSimpleOPT returns the DO bit of an OPT record (RFC 6891, section 6.1), and reports whether b is exactly such a
// record, of version 0 and without options.
func parseSimpleOPT(b []byte) (do byte, ok bool) {
	if len(b) != 11 || b[0] != 0 || binary.BigEndian.Uint16(b[1:]) != dns.TypeOPT || b[6] != 0 {
		return 0, false
	}
	return b[7] & 0x80, binary.BigEndian.Uint16(b[9:]) == 0
}

// hasSimpleHeader reports whether a query has opcode QUERY, none of the flags QR, AA and TC, one question, and no records
// in the answer and authority sections.
func hasSimpleHeader(query []byte) bool {
	return len(query) >= headerSize && query[2]&^0x01 == 0 && [2]byte(query[4:6]) == [2]byte{0, 1} && [4]byte(query[6:10]) == [4]byte{}
}

// parseSimpleName returns the name at an offset of msg, in lower case and without a trailing dot, and the offset after
// it. It reports false for the root, for a compressed or incomplete name, and for a name with bytes that simpleNameBytes
// does not have.
func parseSimpleName(msg []byte, at int) (name string, end int, ok bool) {
	var buf [254]byte
	text := buf[:0]
	for at < len(msg) {
		n := int(msg[at])
		at++
		if n == 0 && len(text) > 0 {
			return string(text[:len(text)-1]), at, true
		}
		if n == 0 || n > 63 || at+n > len(msg) || len(text)+n+1 > len(buf) {
			return "", 0, false
		}
		for _, c := range msg[at : at+n] {
			if c = simpleNameBytes[c]; c == 0 {
				return "", 0, false
			}
			text = append(text, c)
		}
		text = append(text, '.')
		at += n
	}
	return "", 0, false
}

// simpleNameBytes maps each byte that the name of a simpleQuery may have to its lower case, and all others to 0.
var simpleNameBytes = func() (lower [256]byte) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789-_") {
		lower[c] = c
	}
	for c := byte('A'); c <= 'Z'; c++ {
		lower[c] = c + 'a' - 'A'
	}
	return lower
}()

// appendHeader appends the header of a response, and the question as it is in the query.
func (q simpleQuery) appendHeader(dst, query []byte, rcode, answers, authorities byte) []byte {
	at := len(dst)
	dst = append(dst, query[:q.end]...)
	header := dst[at:]
	header[2] = query[2]&0x01 | 0x80         // QR, and RD of the query
	header[3] = query[3]&0x10 | 0x80 | rcode // RA, and CD of the query
	additional := byte(0)
	if q.edns {
		additional = 1
	}
	copy(header[4:], []byte{0, 1, 0, answers, 0, authorities, 0, additional})
	return dst
}

// appendOption appends the OPT record of a response if the query has one (RFC 6891, section 6.1.1). A reason that is not
// empty is its option (RFC 8914).
func (q simpleQuery) appendOption(dst []byte, reason string) []byte {
	if !q.edns {
		return dst
	}
	dst = append(dst, 0, 0, byte(dns.TypeOPT), ednsSize>>8, ednsSize&0xff, 0, 0, q.do, 0)
	if reason == "" {
		return append(dst, 0, 0)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(4+2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, dns.EDNS0EDE)
	dst = binary.BigEndian.AppendUint16(dst, uint16(2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, dns.ExtendedErrorCodeOther)
	return append(dst, reason...)
}
