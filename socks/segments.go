package socks

import (
	"errors"
	"net"
	"slices"

	"github.com/sockslib/sockslib/internal/errno"
	"github.com/sockslib/sockslib/internal/udpsegment"
)

// WriteSegments sends b to addr as datagrams of size bytes each, the last of which may be shorter. It returns how
// many bytes of b were sent. On Linux one system call sends up to 64 datagrams (UDP_SEGMENT). On other systems,
// through a Forward, and if an Auth protects datagrams, there is one system call per datagram. If the network
// device cannot split, the error matches EIO, and [PacketConn.WriteTo] still works. With a fixed peer, the error
// matches [net.ErrWriteToConnected].
func (p *PacketConn) WriteSegments(b []byte, size int, addr net.Addr) (int, error) {
	if size <= 0 {
		return 0, p.fail("write", errors.New("segments of no size"))
	}
	return p.writeTo(b, size, addr)
}

// segmented sends b as datagrams of size bytes each, each after the SOCKS header that is the first header bytes of
// out.buf. It returns how many bytes of b were sent.
func (p *PacketConn) segmented(out *packetBuffer, header int, b []byte, size int) (sent int, err error) {
	most := size
	if p.splits {
		most *= max(1, min(udpsegment.Most, udpsegment.MaxBytes/(header+size)))
	}
	for sent < len(b) && err == nil {
		part := b[sent:min(len(b), sent+most)]
		if len(part) > size {
			err = p.joined(out, header, part, size)
		} else {
			err = p.single(out, header, part)
		}
		switch {
		case err == nil:
			sent += len(part)
		case len(part) > size && (errors.Is(err, errno.EINVAL) || errors.Is(err, errno.EMSGSIZE)):
			var n int
			n, err = p.singly(out, header, part, size)
			sent += n
		}
	}
	return sent, err
}

// singly sends b as datagrams of size bytes, one per system call. The error for a datagram that is too long is
// EMSGSIZE.
func (p *PacketConn) singly(out *packetBuffer, header int, b []byte, size int) (sent int, err error) {
	for one := range slices.Chunk(b, size) {
		if err := p.single(out, header, one); err != nil {
			return sent, err
		}
		sent += len(one)
	}
	return sent, nil
}

// joined sends b as datagrams of size bytes in one system call.
func (p *PacketConn) joined(out *packetBuffer, header int, b []byte, size int) error {
	msg := out.buf[:header]
	count := 0
	for one := range slices.Chunk(b, size) {
		if count++; count > 1 {
			msg = append(msg, out.buf[:header]...)
		}
		msg = append(msg, one...)
	}
	oob := udpsegment.Append(out.oob[:0], header+size)
	err := p.retryAfterICMP(func() error {
		_, _, err := p.udp.WriteMsgUDP(msg, oob, nil) // WriteMsgUDPAddrPort fails without an address in Go 1.25
		return err
	})
	if err == nil {
		p.countSent(count, len(b))
	}
	return err
}

// single sends b as one datagram.
func (p *PacketConn) single(out *packetBuffer, header int, b []byte) error {
	if header+len(b) > len(out.buf) {
		return errno.EMSGSIZE
	}
	msg := append(out.buf[:header], b...)
	err := p.retryAfterICMP(func() error {
		_, err := p.relay.Write(msg)
		return err
	})
	if err != nil && len(b) <= minQUIC && errors.Is(err, errno.EMSGSIZE) {
		err = p.retryAfterICMP(func() error { return p.resendInFragments(msg) })
	}
	if err == nil {
		p.countSent(1, len(b))
	}
	return err
}

// retryAfterICMP calls write, and calls it once more after an ICMP error of the relay's host, which is about an earlier
// datagram. After a second such error retryAfterICMP returns nil: the datagram is lost, as UDP allows.
func (p *PacketConn) retryAfterICMP(write func() error) error {
	err := write()
	if p.socket && unreachable(err) {
		p.drop(DropUnreachable)
		if err = write(); unreachable(err) {
			p.drop(DropUnreachable)
			return nil
		}
	}
	return relayFailed(err)
}

// countSent counts sent datagrams and the bytes of their payload.
func (p *PacketConn) countSent(datagrams, bytes int) {
	p.counters.sent.Add(uint64(datagrams))
	p.counters.bytesSent.Add(uint64(bytes))
}
