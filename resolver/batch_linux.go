package resolver

import (
	"encoding/binary"
	"net"
	"syscall"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
)

// batch takes what is there of a UDP socket at once, and sends the answers at once.
type batch struct {
	udp   *net.UDPConn
	many  *ipv4.PacketConn // udp; of either family: what it adds for IPv4 is not used
	in    []ipv4.Message   // a buffer each, and room for the address that was asked if udp is bound to all
	rooms [][]byte         // for an answer each
	out   []ipv4.Message   // the answers
}

// newDatagrams returns what a reader uses of a socket.
func newDatagrams(p net.PacketConn) datagrams {
	udp, ok := p.(*net.UDPConn)
	if !ok {
		return newSingle(p)
	}
	b := &batch{udp: udp, many: ipv4.NewPacketConn(udp), in: make([]ipv4.Message, batchLen), rooms: make([][]byte, batchLen)}
	named := allAddresses(udp) && askDestination(udp)
	for i := range b.in {
		b.in[i].Buffers = [][]byte{make([]byte, dns.MaxMsgSize)}
		b.rooms[i] = make([]byte, 0, dns.MinMsgSize)
		if named {
			b.in[i].OOB = make([]byte, syscall.CmsgSpace(syscall.SizeofInet6Pktinfo)+syscall.CmsgSpace(syscall.SizeofInet4Pktinfo))
		}
	}
	b.out = make([]ipv4.Message, 0, batchLen)
	for i := range b.out[:batchLen] {
		b.out[:batchLen][i].Buffers = make([][]byte, 1)
	}
	return b
}

func (b *batch) read() (int, error) {
	b.out = b.out[:0]
	return b.many.ReadBatch(b.in, 0)
}

func (b *batch) query(i int) []byte { return b.in[i].Buffers[0][:b.in[i].N] }
func (b *batch) room(i int) []byte  { return b.rooms[i] }

func (b *batch) answer(i int, msg []byte) {
	n := len(b.out)
	b.out = b.out[:n+1]
	b.out[n].Buffers[0], b.out[n].Addr, b.out[n].OOB = msg, b.in[i].Addr, b.source(i)
}

// source returns the control message that sends an answer from the address that query i was sent to: the one that
// came with the query, without the interface, which the answer need not take.
func (b *batch) source(i int) []byte {
	oob := b.in[i].OOB[:b.in[i].NN]
	for at := oob; len(at) >= syscall.SizeofCmsghdr; {
		size, level, kind := cmsgHeader(at)
		if size < syscall.SizeofCmsghdr || size > len(at) {
			break
		}
		data := at[syscall.CmsgLen(0):size]
		switch {
		case level == syscall.IPPROTO_IP && kind == syscall.IP_PKTINFO && len(data) >= syscall.SizeofInet4Pktinfo:
			clear(data[:4]) // struct in_pktinfo: the interface, the local address, the destination of the header
			if [4]byte(data[4:8]) == [4]byte{} {
				copy(data[4:8], data[8:12]) // it came before the local address was asked for
			}
			return at[:size]
		case level == syscall.IPPROTO_IPV6 && kind == syscall.IPV6_PKTINFO && len(data) >= syscall.SizeofInet6Pktinfo:
			if !net.IP(data[:16]).IsLinkLocalUnicast() {
				clear(data[16:20])
			}
			return at[:size]
		}
		at = at[min(syscall.CmsgSpace(size-syscall.CmsgLen(0)), len(at)):]
	}
	return nil
}

// cmsgHeader reads a struct cmsghdr, whose length is of the machine's word size.
func cmsgHeader(b []byte) (size, level, kind int) {
	word := syscall.SizeofCmsghdr - 8
	if word == 8 {
		size = int(binary.NativeEndian.Uint64(b))
	} else {
		size = int(binary.NativeEndian.Uint32(b))
	}
	return size, int(binary.NativeEndian.Uint32(b[word:])), int(binary.NativeEndian.Uint32(b[word+4:]))
}

func (b *batch) send(unsent func(to net.Addr, err error)) {
	for done := 0; done < len(b.out); {
		n, err := b.many.WriteBatch(b.out[done:], 0)
		if err != nil { // of the first one
			unsent(b.out[done].Addr, err)
			n = 1
		}
		done += n
	}
}

func (b *batch) later(i int) (net.Addr, func(msg []byte) error) {
	udp, from, oob := b.udp, b.in[i].Addr.(*net.UDPAddr), append([]byte(nil), b.source(i)...)
	return from, func(msg []byte) error {
		_, _, err := udp.WriteMsgUDP(msg, oob, from)
		return err
	}
}
