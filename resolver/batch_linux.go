package resolver

import (
	"encoding/binary"
	"net"
	"syscall"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
)

// batch reads all queries that a UDP socket has, up to batchLen, with one system call, and sends the responses with one.
type batch struct {
	udp   *net.UDPConn
	conn  *ipv4.PacketConn // udp, of either family: nothing here is specific to IPv4
	in    []ipv4.Message   // each has a buffer, and room for the query's destination if udp is bound to all addresses
	rooms [][]byte         // a buffer for each response
	out   []ipv4.Message   // the responses
}

// newDatagrams returns a batch for a UDP socket, and a single for any other.
func newDatagrams(p net.PacketConn) datagrams {
	udp, ok := p.(*net.UDPConn)
	if !ok {
		return newSingle(p)
	}
	b := &batch{udp: udp, conn: ipv4.NewPacketConn(udp), in: make([]ipv4.Message, batchLen), rooms: make([][]byte, batchLen)}
	anyAddr := boundToAll(udp) && receiveDestination(udp)
	for i := range b.in {
		b.in[i].Buffers = [][]byte{make([]byte, dns.MaxMsgSize)}
		b.rooms[i] = make([]byte, 0, dns.MinMsgSize)
		if anyAddr {
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
	return b.conn.ReadBatch(b.in, 0)
}

func (b *batch) query(i int) []byte { return b.in[i].Buffers[0][:b.in[i].N] }
func (b *batch) room(i int) []byte  { return b.rooms[i] }

func (b *batch) respond(i int, msg []byte) {
	n := len(b.out)
	b.out = b.out[:n+1]
	b.out[n].Buffers[0], b.out[n].Addr, b.out[n].OOB = msg, b.in[i].Addr, b.sendFrom(i)
}

// sendFrom returns the control message that makes a response leave from the address that query i was sent to. It is
// the control message of the query, without the interface, which the response need not use.
func (b *batch) sendFrom(i int) []byte {
	oob := b.in[i].OOB[:b.in[i].NN]
	for at := oob; len(at) >= syscall.SizeofCmsghdr; {
		size, level, kind := cmsgHeader(at)
		if size < syscall.SizeofCmsghdr || size > len(at) {
			break
		}
		data := at[syscall.CmsgLen(0):size]
		switch {
		case level == syscall.IPPROTO_IP && kind == syscall.IP_PKTINFO && len(data) >= syscall.SizeofInet4Pktinfo:
			clear(data[:4]) // struct in_pktinfo: interface, local address, destination address of the header
			if [4]byte(data[4:8]) == [4]byte{} {
				copy(data[4:8], data[8:12]) // the query came before receiveDestination
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

// cmsgHeader reads a struct cmsghdr, whose length field has the machine's word size.
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
		n, err := b.conn.WriteBatch(b.out[done:], 0)
		if err != nil { // about the first one
			unsent(b.out[done].Addr, err)
			n = 1
		}
		done += n
	}
}

func (b *batch) later(i int) (net.Addr, func(msg []byte) error) {
	udp, from, oob := b.udp, b.in[i].Addr.(*net.UDPAddr), append([]byte(nil), b.sendFrom(i)...)
	return from, func(msg []byte) error {
		_, _, err := udp.WriteMsgUDP(msg, oob, from)
		return err
	}
}
