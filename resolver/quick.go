package resolver

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// quick appends to dst the response to the plainest of queries, for the address of a name about which there
// is nothing to wait for or to find out. It returns nil for all others: reply takes those. What it gives
// is what reply would give, without building a message.
func (h *handler) quick(dst, query []byte) []byte {
	r := h.resolver
	if r == nil || r.Table == nil || r.Direct != nil || r.Verify {
		return nil
	}
	name, end := plainName(query)
	if end == 0 || len(query) < end+4 || within(name, "localhost") || !h.searches.plain(name) {
		return nil
	}
	qtype := binary.BigEndian.Uint16(query[end:])
	if binary.BigEndian.Uint16(query[end+2:]) != dns.ClassINET || qtype != dns.TypeA && qtype != dns.TypeAAAA {
		return nil
	}
	end += 4
	do, extra, ok := plainOptions(query, end)
	if !ok {
		return nil
	}
	network := "ip4"
	if qtype == dns.TypeAAAA {
		network = "ip6"
	}
	addr, err := r.Table.Assign(network, name)
	if err != nil {
		return nil // reply says why
	}
	dst = append(dst, query[:end]...)
	dst[2] = dst[2]&0x01 | 0x80 // QR; RD as asked
	dst[3] = dst[3]&0x10 | 0x80 // RA; CD as asked
	copy(dst[4:], []byte{0, 1, 0, 1, 0, 0, 0, extra})
	dst = append(dst, 0xc0, headerSize) // the name in question (RFC 1035, section 4.1.4)
	dst = binary.BigEndian.AppendUint16(dst, qtype)
	dst = binary.BigEndian.AppendUint16(dst, dns.ClassINET)
	dst = binary.BigEndian.AppendUint32(dst, h.ttl)
	dst = binary.BigEndian.AppendUint16(dst, uint16(addr.BitLen()/8))
	dst = append(dst, addr.AsSlice()...)
	if extra == 1 { // RFC 6891, section 6.1.2
		dst = append(dst, 0, 0, byte(dns.TypeOPT), ednsSize>>8, ednsSize&0xff, 0, 0, do, 0, 0, 0)
	}
	return dst
}

// plainName returns the one name in question, in lower case, if it is an ordinary query for an ordinary
// host name, and where its wire form ends; else 0.
func plainName(query []byte) (string, int) {
	if len(query) < headerSize || query[2]&^0x01 != 0 || [2]byte(query[4:6]) != [2]byte{0, 1} || [4]byte(query[6:10]) != [4]byte{} {
		return "", 0
	}
	var buf [maxDomainName + 1]byte
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

// plainOptions reads what follows the question: nothing, or one OPT record of version 0. It returns the
// octet that has the DO bit, and how many records there are.
func plainOptions(query []byte, at int) (do, extra byte, ok bool) {
	rest := query[at:]
	switch count := binary.BigEndian.Uint16(query[10:]); {
	case count == 0 && len(rest) == 0:
		return 0, 0, true
	case count != 1 || len(rest) < 11 || rest[0] != 0 || binary.BigEndian.Uint16(rest[1:]) != dns.TypeOPT || rest[6] != 0:
		return 0, 0, false
	case len(rest) != 11+int(binary.BigEndian.Uint16(rest[9:])):
		return 0, 0, false
	}
	return rest[7] & 0x80, 1, true
}
