package dialer

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/socks"
)

// association is one UDP ASSOCIATE of a PacketConn, for one flow.
type association struct {
	flow *flow
	conn net.PacketConn
	ap   addrPortConn  // conn, if it can be read without allocating; nil: it cannot
	buf  bufferedConn  // conn, if it can be read without waiting; nil: it cannot
	gone chan struct{} // closed by close
}

type addrPortConn interface {
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
}

// bufferedConn is what a *[socks.PacketConn] has in addition.
type bufferedConn interface {
	WaitRead() error
	ReadBuffered(b []byte) (int, netip.AddrPort, bool)
}

type segmentsConn interface {
	WriteSegments(b []byte, size int, addr net.Addr) (int, error)
}

func newAssociation(f *flow, conn net.PacketConn) *association {
	ap, _ := conn.(addrPortConn)
	buf, _ := conn.(bufferedConn)
	return &association{flow: f, conn: conn, ap: ap, buf: buf, gone: make(chan struct{})}
}

// read returns the sender's port, and its address if the gateway gave one and not a name.
func (a *association) read(b []byte) (int, netip.AddrPort, error) {
	if a.ap != nil {
		return a.ap.ReadFromAddrPort(b)
	}
	return a.readFrom(b)
}

//go:noinline
func (a *association) readFrom(b []byte) (int, netip.AddrPort, error) { // keeps read's frame, with which readers wait, small
	n, from, err := a.conn.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	dst, _ := destinationOf(from) // an unknown form of address is a stranger's
	return n, netip.AddrPortFrom(dst.ip, dst.port), nil
}

// readBuffered is read without waiting. It reports false if there is nothing to read.
func (a *association) readBuffered(b []byte) (int, netip.AddrPort, bool) {
	if a.buf == nil {
		return 0, netip.AddrPort{}, false
	}
	return a.buf.ReadBuffered(b)
}

// write sends b as datagrams of size bytes each.
func (a *association) write(b []byte, size int, to *socks.Addr) (int, error) {
	if size >= len(b) {
		return a.conn.WriteTo(b, to)
	}
	if c, ok := a.conn.(segmentsConn); ok {
		return c.WriteSegments(b, size, to)
	}
	sent := 0
	for one := range slices.Chunk(b, size) {
		n, err := a.conn.WriteTo(one, to)
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// close ends the association. It is called once, after the association was taken from its flow.
func (a *association) close() error {
	close(a.gone)
	return a.conn.Close()
}

func (a *association) stats() socks.PacketStats {
	if c, ok := a.conn.(interface{ Stats() socks.PacketStats }); ok {
		return c.Stats()
	}
	return socks.PacketStats{}
}

var errEnded = errors.New("the association has ended")

// causeOf returns why an association ended, without net.ErrClosed, which means that the PacketConn has ended.
func causeOf(err error) error {
	for errors.Is(err, net.ErrClosed) {
		err = errors.Unwrap(err)
	}
	if err == nil {
		return errEnded
	}
	return err
}
