package resolver

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

// quick appends to dst the response to the plainest of queries, for an address of a name that the table answers. It
// returns nil for all others: begin takes those. What it gives is what begin would, without building a message.
func (h *handler) quick(dst, query []byte) []byte {
	r := h.resolver
	if r == nil || r.Table == nil || r.Verify {
		return nil
	}
	q, ok := plainQuery(query)
	if !ok || r.settled(q.name) && meaningOf(q.name) != hidden {
		return nil
	}
	name, denied := q.name, ""
	if list := h.list(); len(list.domains) > 0 {
		if name, denied = list.typed(q.name, r.settled); denied != "" {
			return h.quickDenial(dst, query, q, denied)
		}
	}
	if name != q.name && r.settled(name) && meaningOf(name) != hidden {
		return nil
	}
	network := "ip4"
	if q.qtype == dns.TypeAAAA {
		network = "ip6"
	}
	addr, err := r.Table.Assign(network, name)
	if err != nil {
		return nil // begin says why
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

// quickDenial appends the response that sends a stub on to its next name.
func (h *handler) quickDenial(dst, query []byte, q plain, domain string) []byte {
	if name, err := names.Canonical(q.name); err != nil || name != q.name {
		return nil // begin says why
	}
	dst = q.appendHeader(dst, query, dns.RcodeNameError, 0, 1)
	owner := headerSize + len(q.name) - len(domain) // where its first label is in the name in question
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

// plain is a query in which nothing is out of the ordinary.
type plain struct {
	name  string // in lower case; like a host name but for its hyphens, and a number at its end
	qtype uint16 // A or AAAA
	end   int    // of the question
	edns  bool
	do    byte
}

// plainQuery returns ok if a query is plain.
func plainQuery(query []byte) (q plain, ok bool) {
	q.name, q.end = plainName(query)
	if q.end == 0 || len(query) < q.end+4 {
		return q, false
	}
	q.qtype = binary.BigEndian.Uint16(query[q.end:])
	if q.qtype != dns.TypeA && q.qtype != dns.TypeAAAA || binary.BigEndian.Uint16(query[q.end+2:]) != dns.ClassINET {
		return q, false
	}
	q.end += 4
	switch rest := query[q.end:]; binary.BigEndian.Uint16(query[10:]) {
	case 0:
		return q, len(rest) == 0
	case 1: // an OPT record of version 0
		q.edns = true
		if len(rest) < 11 || rest[0] != 0 || binary.BigEndian.Uint16(rest[1:]) != dns.TypeOPT || rest[6] != 0 {
			return q, false
		}
		q.do = rest[7] & 0x80
		return q, binary.BigEndian.Uint16(rest[9:]) == 0 && len(rest) == 11
	default:
		return q, false
	}
}

// plainName returns the one name in question, in lower case, if it is an ordinary query for an ordinary
// host name, and where its wire form ends; else 0.
func plainName(query []byte) (string, int) {
	if len(query) < headerSize || query[2]&^0x01 != 0 || [2]byte(query[4:6]) != [2]byte{0, 1} || [4]byte(query[6:10]) != [4]byte{} {
		return "", 0
	}
	var buf [254]byte
	name := buf[:0]
	for at := headerSize; at < len(query); {
		n := int(query[at])
		at++
		if n == 0 {
			if len(name) == 0 {
				return "", 0
			}
			return string(name[:len(name)-1]), at
		}
		if n > 63 || at+n > len(query) || len(name)+n+1 > len(buf) {
			return "", 0
		}
		for _, c := range query[at : at+n] {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			if (c < 'a' || 'z' < c) && !isDigit(c) && c != '-' && c != '_' {
				return "", 0
			}
			name = append(name, c)
		}
		name = append(name, '.')
		at += n
	}
	return "", 0
}

// appendHeader appends the header of a response, and the question as it was asked.
func (q plain) appendHeader(dst, query []byte, rcode, answers, authorities byte) []byte {
	at := len(dst)
	dst = append(dst, query[:q.end]...)
	header := dst[at:]
	header[2] = query[2]&0x01 | 0x80         // QR; RD as asked
	header[3] = query[3]&0x10 | 0x80 | rcode // RA; CD as asked
	additional := byte(0)
	if q.edns {
		additional = 1
	}
	copy(header[4:], []byte{0, 1, 0, answers, 0, authorities, 0, additional})
	return dst
}

// appendOption appends the OPT record of a response to a client that sent one (RFC 6891, section 6.1.2), with the
// reason if there is one (RFC 8914).
func (q plain) appendOption(dst []byte, reason string) []byte {
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
