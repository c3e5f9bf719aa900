package dialer

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/socks"
)

// association is one UDP ASSOCIATE of a PacketConn, for one flow. Its methods are safe for concurrent use.
type association struct {
	flow   *flow
	conn   net.PacketConn
	ap     addrPortConn  // conn, if it can be read without allocating; otherwise nil
	buf    bufferedConn  // conn, if it can be read without waiting; otherwise nil
	closed chan struct{} // closed by close
}

// addrPortConn reads without allocating an address, as a *[socks.PacketConn] does.
type addrPortConn interface {
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
}

// bufferedConn has the methods by which a *[socks.PacketConn] waits without a buffer and is read without waiting.
type bufferedConn interface {
	WaitRead() error
	ReadBuffered(b []byte) (int, netip.AddrPort, bool)
}

// segmentsConn sends several datagrams at once, as a *[socks.PacketConn] does.
type segmentsConn interface {
	WriteSegments(b []byte, size int, addr net.Addr) (int, error)
}

func newAssociation(f *flow, conn net.PacketConn) *association {
	ap, _ := conn.(addrPortConn)
	buf, _ := conn.(bufferedConn)
	return &association{flow: f, conn: conn, ap: ap, buf: buf, closed: make(chan struct{})}
}

// read reads a datagram into b and returns its length and sender. If the gateway reported a name, the sender's
// address is invalid and only the port is set.
func (a *association) read(b []byte) (int, netip.AddrPort, error) {
	if a.ap != nil {
		return a.ap.ReadFromAddrPort(b)
	}
	return a.readFrom(b)
}

// readFrom is read by the method of a net.PacketConn. It is not inlined, so that the stack frame of read, in which
// readers wait, stays small.
//
//go:noinline
func (a *association) readFrom(b []byte) (int, netip.AddrPort, error) {
	n, from, err := a.conn.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	dst, _ := destinationOf(from) // on an error the sender is invalid, and origin drops the datagram
	return n, netip.AddrPortFrom(dst.ip, dst.port), nil
}

// readBuffered is like read, but does not wait: it reports false if no datagram is buffered.
func (a *association) readBuffered(b []byte) (int, netip.AddrPort, bool) {
	if a.buf == nil {
		return 0, netip.AddrPort{}, false
	}
	return a.buf.ReadBuffered(b)
}

// write sends b to an address as datagrams of size bytes each, the last of which may be shorter. It returns the
// number of bytes sent.
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

// close closes the association. It is called once, after detach has removed the association from its flow.
func (a *association) close() error {
	close(a.closed)
	return a.conn.Close()
}

// stats returns the association's counters, or zeros if the Gateway's associations have none.
func (a *association) stats() socks.PacketStats {
	if c, ok := a.conn.(interface{ Stats() socks.PacketStats }); ok {
		return c.Stats()
	}
	return socks.PacketStats{}
}

var errEnded = errors.New("the association has ended")

// causeOf returns the reason why an association ended: err without net.ErrClosed, which would mean that the
// PacketConn is closed.
func causeOf(err error) error {
	for errors.Is(err, net.ErrClosed) {
		err = errors.Unwrap(err)
	}
	if err == nil {
		return errEnded
	}
	return err
}
