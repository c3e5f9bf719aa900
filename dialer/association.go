package dialer

import (
	"errors"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/socks"
)

// association is one UDP ASSOCIATE of a PacketConn. It serves one flow.
type association struct {
	flow *flow
	conn net.PacketConn
	ap   addrPortConn  // conn, when it can do without allocating; nil: it cannot
	gone chan struct{} // closed by close
}

type addrPortConn interface {
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func newAssociation(f *flow, conn net.PacketConn) *association {
	ap, _ := conn.(addrPortConn)
	return &association{flow: f, conn: conn, ap: ap, gone: make(chan struct{})}
}

// read tells the sender's port, and the address when the gateway gave one.
func (a *association) read(b []byte) (int, netip.AddrPort, error) {
	if a.ap != nil {
		return a.ap.ReadFromAddrPort(b)
	}
	n, from, err := a.conn.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	dst, _ := destinationOf(from) // one that cannot be understood is nobody's
	return n, netip.AddrPortFrom(dst.ip, dst.port), nil
}

// write sends b to a name's peer, or where there is none to a real address.
func (a *association) write(b []byte, to *peer, real netip.AddrPort) (int, error) {
	switch {
	case to != nil:
		return a.conn.WriteTo(b, to.to)
	case a.ap != nil:
		return a.ap.WriteToAddrPort(b, real)
	}
	return a.conn.WriteTo(b, net.UDPAddrFromAddrPort(real))
}

// close ends the association. Only who took it from its flow calls it.
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

// causeOf is why an association ended, without net.ErrClosed, which is for a PacketConn that has ended.
func causeOf(err error) error {
	for errors.Is(err, net.ErrClosed) {
		err = errors.Unwrap(err)
	}
	if err == nil {
		return errEnded
	}
	return err
}
