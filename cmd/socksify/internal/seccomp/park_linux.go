package seccomp

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// lots has one lot per family.
type lots struct {
	v4, v6 lot // the addr of v6 is invalid on a machine without IPv6
}

// lot is a listener at which sockets of the program wait during a dial. It answers no SYN, because its queue has room for
// one connection, and the connection of filler, which is never accepted, takes that. So a socket that connects to it stays
// in SYN_SENT, as on a slow network. To complete the connect, another socket with the listener's address connects to the
// program's socket, by TCP's simultaneous open (RFC 9293, section 3.5).
type lot struct {
	listener, filler int
	addr             netip.AddrPort
}

// open makes the lots. The lot of IPv6 is left out on a machine without IPv6.
func (l *lots) open() (err error) {
	if l.v4, err = newLot(netip.AddrFrom4([4]byte{127, 0, 0, 1})); err != nil {
		return err
	}
	l.v6, _ = newLot(netip.IPv6Loopback())
	return nil
}

func (l *lots) close() {
	for _, lot := range []lot{l.v4, l.v6} {
		if lot.addr.IsValid() {
			unix.Close(lot.filler)
			unix.Close(lot.listener)
		}
	}
}

func newLot(ip netip.Addr) (lot, error) {
	fd, err := boundSocket(netip.AddrPortFrom(ip, 0))
	if err != nil {
		return lot{}, err
	}
	filler := -1
	var addr netip.AddrPort
	if err = unix.Listen(fd, 0); err == nil {
		addr, err = addrOf(fd)
	}
	if err == nil {
		filler, err = unix.Socket(familyFor(ip), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	}
	if err == nil {
		err = rawConnect(filler, appendSockaddr(nil, addr))
	}
	if err != nil {
		unix.Close(fd)
		if filler >= 0 {
			unix.Close(filler)
		}
		return lot{}, err
	}
	return lot{fd, filler, addr}, nil
}

func familyFor(ip netip.Addr) int {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// boundSocket returns a TCP socket that is bound to a. Several sockets of this user may share a (SO_REUSEPORT).
func boundSocket(a netip.AddrPort) (int, error) {
	fd, err := unix.Socket(familyFor(a.Addr()), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err == nil {
		_, err = withSockaddr(unix.SYS_BIND, fd, appendSockaddr(nil, a))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func addrOf(fd int) (netip.AddrPort, error) {
	b, err := localAddress(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return parseSockaddr(b)
}

// parked is a socket of the program that waits in a lot.
type parked struct {
	lot  lot
	addr netip.AddrPort // the socket's local address
}

// park connects a socket to the lot for its family and its destination. It sets a blocking socket to nonblocking
// during the call.
func (l *lots) park(c socket, to netip.Addr) (*parked, error) {
	lot := l.lotFor(c, to)
	flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, err
	}
	if flags&unix.O_NONBLOCK == 0 {
		_, _ = unix.FcntlInt(uintptr(c.fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
		defer func() { _, _ = unix.FcntlInt(uintptr(c.fd), unix.F_SETFL, flags) }()
	}
	err = rawConnect(c.fd, appendSockaddr(nil, inFamily(lot.addr, c.v6())))
	if err != unix.EINPROGRESS {
		if err == nil { // cannot happen: the lot's queue is full
			err = unix.EAGAIN
		}
		return nil, err
	}
	addr, err := addrOf(c.fd)
	if err != nil {
		return nil, err
	}
	return &parked{lot, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())}, nil
}

// lotFor returns the lot for a socket and its destination: v6 for an IPv6 destination, otherwise v4.
func (l *lots) lotFor(c socket, to netip.Addr) lot {
	if c.v6() && !to.Is4In6() && l.v6.addr.IsValid() {
		return l.v6
	}
	return l.v4
}

// completeTimeout bounds a handshake within this machine, in seconds.
const completeTimeout = 10

// complete completes the connect, and returns the supervisor's end of the connection.
func (p *parked) complete() (*net.TCPConn, error) {
	fd, err := boundSocket(p.lot.addr)
	if err != nil {
		return nil, err
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: completeTimeout}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if err := rawConnect(fd, appendSockaddr(nil, p.addr)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return connOf(fd)
}

// fail disconnects the socket, so that the connect fails and poll reports an error.
func (p *parked) fail(c socket) {
	_ = rawConnect(c.fd, make([]byte, sizeSockaddr4)) // AF_UNSPEC
}

// connOf returns a net.Conn for a socket. It takes ownership of fd.
func connOf(fd int) (*net.TCPConn, error) {
	f := os.NewFile(uintptr(fd), "relay")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}
