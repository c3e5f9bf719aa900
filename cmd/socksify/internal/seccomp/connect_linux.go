package seccomp

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

const dnsPort = 53

// daemons are the beginnings of the paths of unix sockets that would resolve names past the gateway.
var daemons = []string{"/run/nscd/", "/var/run/nscd/", "/run/systemd/resolve/", "/run/avahi-daemon/", "/var/run/avahi-daemon/"}

// connect decides by what the socket is, which the program cannot change, and acts on our copy of the address.
func (s *Session) connect(n *notification) {
	c, ok := s.lookAt(n)
	if !ok {
		return
	}
	if n.args[2] > maxSockaddr {
		c.close()
		s.listener.answer(n, 0, unix.EINVAL)
		return
	}
	address, err := memory{int(n.pid)}.read(n.args[1], int(n.args[2]))
	switch {
	case err != nil:
		s.listener.answer(n, 0, errnoOf(err))
	case !c.internet():
		s.connectOther(n, address)
	case len(address) >= 2 && familyOf(address) == unix.AF_UNSPEC:
		s.disconnect(n, c, address)
	case c.kind == unix.SOCK_STREAM:
		s.connectStream(n, c, address)
		return // which closes c
	default:
		s.connectDatagram(n, c, address)
	}
	c.close()
}

// connectOther lets through what reaches no network, but for daemons that resolve names.
func (s *Session) connectOther(n *notification, address []byte) {
	path := unixPath(address)
	if slices.ContainsFunc(daemons, func(d string) bool { return strings.HasPrefix(path, d) }) {
		s.listener.answer(n, 0, unix.ECONNREFUSED)
		return
	}
	s.listener.proceed(n)
}

// disconnect undoes a connect (AF_UNSPEC).
func (s *Session) disconnect(n *notification, c socket, address []byte) {
	err := rawConnect(c.fd, address)
	if err == nil {
		s.states.forget(c.cookie)
		s.listener.answer(n, 0, 0)
		return
	}
	s.listener.answer(n, 0, errnoOf(err))
}

// connectStream takes over c.
func (s *Session) connectStream(n *notification, c socket, address []byte) {
	to, err := streamAddress(c, address)
	if err != nil {
		c.close()
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 0) // or connect would not connect
	if ip := to.Addr().Unmap(); to.Port() != dnsPort && (ip.IsLoopback() || ip.IsUnspecified()) {
		// This machine's; the program's loopback is the same.
		err := rawConnect(c.fd, appendSockaddr(nil, loopbackOf(to)))
		c.close()
		s.listener.answer(n, 0, orZero(err))
		return
	}
	if s.joined(n, c) {
		return
	}
	s.dial(n, c, to, address)
}

// streamAddress parses the address of a connect of TCP as the kernel does.
func streamAddress(c socket, address []byte) (netip.AddrPort, error) {
	if c.v6() && len(address) < minSockaddr6 {
		return netip.AddrPort{}, unix.EINVAL
	}
	to, err := parseSockaddr(address)
	if err == nil && to.Addr().Is4() == c.v6() {
		err = unix.EAFNOSUPPORT
	}
	return to, err
}

// loopbackOf is an address of this machine: the unspecified one is loopback, as for the kernel.
func loopbackOf(to netip.AddrPort) netip.AddrPort {
	switch ip := to.Addr(); {
	case ip == netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	case ip == netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), to.Port())
	}
	return to
}

func orZero(err error) unix.Errno {
	if err == nil {
		return 0
	}
	return errnoOf(err)
}

// joined answers a connect on a socket that has been connected before: a program asks how it went in that way too,
// and a signal makes it ask again.
func (s *Session) joined(n *notification, c socket) bool {
	var st state
	s.states.change(c.cookie, func(now *state) {
		st = *now
		now.failed, now.untold = 0, false
	})
	switch {
	case st.attempt != nil && c.nonblocking() && !c.established():
		s.listener.answer(n, 0, unix.EALREADY)
	case st.attempt != nil:
		<-st.attempt.done // which Close ends too
		s.listener.answer(n, 0, st.attempt.errno)
	case st.failed != 0:
		s.listener.answer(n, 0, st.failed)
	case st.untold:
		s.listener.answer(n, 0, 0)
	case st.peer != nil:
		s.listener.answer(n, 0, unix.EISCONN)
	default:
		return false
	}
	c.close()
	return true
}

// dial connects a program's socket to a destination through the gateway, and takes the socket over. A blocking call
// is answered when that has ended; the socket of another is parked meanwhile.
func (s *Session) dial(n *notification, c socket, to netip.AddrPort, address []byte) {
	a := &attempt{done: make(chan struct{})}
	s.states.change(c.cookie, func(st *state) { st.attempt = a })
	var p *parked
	if c.nonblocking() {
		var err error
		if p, err = s.lots.park(c, to.Addr()); err != nil {
			s.settle(c, a, func(st *state) {})
			c.close()
			s.listener.answer(n, 0, errnoOf(err))
			return
		}
		s.listener.answer(n, 0, unix.EINPROGRESS)
	}
	r := s.connected(c, p, a, to, address, s.caller(n))
	c.close()
	if p == nil {
		s.listener.answer(n, 0, a.errno)
	}
	if r != nil {
		s.carry(r)
	}
}

// caller is what the log calls the process of a call.
func (s *Session) caller(n *notification) string {
	if s.policy.Log == nil {
		return ""
	}
	return nameOf(int(n.pid))
}

// connected dials, connects the program's socket, and returns what has to be carried; nil: it failed.
func (s *Session) connected(c socket, p *parked, a *attempt, to netip.AddrPort, address []byte, who string) *joint {
	began := time.Now()
	d, gateway, err := s.dialed(to)
	s.policy.Log.Dialed("tcp", d, who, began, err)
	if err != nil {
		a.errno = policy.Errno(err)
		s.settle(c, a, func(st *state) {
			if p != nil {
				st.failed = a.errno
			}
		})
		if p != nil {
			p.fail(c)
		}
		return nil
	}
	s.granted.Add(1) // until it is open, for Drain
	defer s.granted.Add(-1)
	program, err := s.meet(c, p, to.Addr())
	if err != nil { // the program has given up
		a.errno = unix.ECONNABORTED
		s.settle(c, a, func(st *state) {})
		gateway.Close()
		return nil
	}
	s.settle(c, a, func(st *state) { st.peer, st.untold = address, p != nil })
	r := &joint{program: program, gateway: gateway, d: d, who: who, began: began}
	s.add(r)
	return r
}

// settle ends an attempt.
func (s *Session) settle(c socket, a *attempt, change func(*state)) {
	s.states.change(c.cookie, func(st *state) {
		st.attempt = nil
		change(st)
	})
	close(a.done)
}

// dialed connects to a destination, or to our name server, whichever it is that the program asks.
func (s *Session) dialed(to netip.AddrPort) (policy.Destination, net.Conn, error) {
	if to.Port() == dnsPort {
		c, err := new(net.Dialer).DialContext(s.ctx, "tcp", s.name4.String())
		return policy.Destination{Addr: to, Name: "name-server"}, c, err
	}
	d := s.policy.Destination("tcp", to)
	c, err := s.policy.Dial(s.ctx, "tcp", d)
	return d, c, err
}

// meet connects the program's socket to one of ours, which it returns.
func (s *Session) meet(c socket, p *parked, to netip.Addr) (*net.TCPConn, error) {
	if p != nil {
		return p.complete()
	}
	return s.lots.pair(c, to)
}
