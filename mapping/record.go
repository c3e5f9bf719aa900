package mapping

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// header is the beginning of a snapshot. The comment of magic describes the format.
type header struct {
	ipv4, ipv6 netip.Prefix
	count      uint32 // of the records
	length     uint64 // of all records, in bytes
}

// append appends the header's bytes, headerLen of them.
func (h *header) append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, version)
	b = append(b, h.ipv4.Addr().AsSlice()...)
	b = append(b, byte(h.ipv4.Bits()))
	b = append(b, h.ipv6.Addr().AsSlice()...)
	b = append(b, byte(h.ipv6.Bits()))
	b = binary.BigEndian.AppendUint32(b, h.count)
	return binary.BigEndian.AppendUint64(b, h.length)
}

// parseHeader parses the headerLen bytes that append appends.
func parseHeader(b []byte) (header, error) {
	if string(b[:len(magic)]) != magic {
		return header{}, errors.New("it does not begin as one")
	}
	b = b[len(magic):]
	if b[0] != version {
		return header{}, fmt.Errorf("version %d is not known", b[0])
	}
	return header{
		ipv4:   netip.PrefixFrom(netip.AddrFrom4([4]byte(b[1:])), int(b[5])),
		ipv6:   netip.PrefixFrom(netip.AddrFrom16([16]byte(b[6:])), int(b[22])),
		count:  binary.BigEndian.Uint32(b[23:]),
		length: binary.BigEndian.Uint64(b[27:]),
	}, nil
}

// record is a pair in a snapshot.
type record struct {
	name     string
	number   uint32
	assigned int64 // nanoseconds since 1970 UTC, or neverAssigned
}

// append appends the record's bytes.
func (r *record) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, r.number)
	b = binary.BigEndian.AppendUint64(b, uint64(r.assigned))
	b = append(b, byte(len(r.name))) // a canonical name has at most 253 bytes
	return append(b, r.name...)
}

// readRecord reads one record.
func readRecord(r *bufio.Reader) (record, error) {
	var fixed [recordFixedLen]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return record{}, err
	}
	name := make([]byte, fixed[recordFixedLen-1])
	if _, err := io.ReadFull(r, name); err != nil {
		return record{}, err
	}
	return record{
		name:     string(name),
		number:   binary.BigEndian.Uint32(fixed[:]),
		assigned: int64(binary.BigEndian.Uint64(fixed[4:])),
	}, nil
}
