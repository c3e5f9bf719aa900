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

// daemons are prefixes of the paths of unix sockets whose daemons would resolve names without the gateway.
var daemons = []string{"/run/nscd/", "/var/run/nscd/", "/run/systemd/resolve/", "/run/avahi-daemon/", "/var/run/avahi-daemon/"}

// connect answers a connect. It decides by the kind of the socket, which the program cannot change, and by a copy
// of the address, because the program could change the original during the call.
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
	case s.noNetwork(n, c):
		s.connectOther(n, address)
	case c.fd < 0:
		s.connectReleased(n, c, address)
	case len(address) >= 2 && familyOf(address) == unix.AF_UNSPEC:
		s.disconnect(n, c, address)
	case c.kind == unix.SOCK_STREAM:
		s.connectStream(n, c, address)
		return // connectStream closes c
	default:
		s.connectDatagram(n, c, address)
	}
	c.close()
}

// connectOther lets a connect proceed on a socket that reaches no network. It refuses connects to daemons that
// resolve names.
func (s *Session) connectOther(n *notification, address []byte) {
	path := unixPath(address)
	if slices.ContainsFunc(daemons, func(d string) bool { return strings.HasPrefix(path, d) }) {
		s.listener.answer(n, 0, unix.ECONNREFUSED)
		return
	}
	s.listener.proceed(n)
}

// disconnect answers a connect to AF_UNSPEC, which disconnects the socket.
func (s *Session) disconnect(n *notification, c socket, address []byte) {
	err := rawConnect(c.fd, address)
	if err == nil {
		s.states.forget(c.cookie)
		s.listener.answer(n, 0, 0)
		return
	}
	s.listener.answer(n, 0, errnoOf(err))
}

// connectStream answers a connect of a stream socket. It takes ownership of c.
func (s *Session) connectStream(n *notification, c socket, address []byte) {
	to, err := streamAddress(c, address)
	if err != nil {
		c.close()
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 0) // with it connect would only prepare
	if ip := to.Addr().Unmap(); to.Port() != dnsPort && (ip.IsLoopback() || ip.IsUnspecified()) {
		s.connectLoopback(n, c, appendSockaddr(nil, loopbackOf(to)))
		return
	}
	if s.joined(n, c) {
		return
	}
	s.dial(n, c, to, address)
}

// connectLoopback connects to this machine, whose loopback device the program shares. It takes ownership of c.
func (s *Session) connectLoopback(n *notification, c socket, sockaddr []byte) {
	defer c.close()
	err := rawConnect(c.fd, sockaddr)
	if err == nil {
		s.custody.release(c.cookie)
	}
	s.listener.answer(n, 0, orZero(err))
	if err == unix.EINPROGRESS && s.custody != nil {
		s.releaseConnected(c, sockaddr)
	}
}

// streamAddress parses the address of a TCP connect, with the errors of the kernel.
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

// loopbackOf returns the loopback address for an unspecified address, which means the same to the kernel, and any
// other address unchanged.
func loopbackOf(to netip.AddrPort) netip.AddrPort {
	switch ip := to.Addr(); {
	case ip == netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	case ip == netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), to.Port())
	}
	return to
}

// orZero returns the errno of err, or 0 if err is nil.
func orZero(err error) unix.Errno {
	if err == nil {
		return 0
	}
	return errnoOf(err)
}

// joined answers a connect on a socket with an earlier connect, and closes c. It reports false, and does neither,
// if there was no earlier connect. Programs call connect again to learn the outcome, or after a signal.
func (s *Session) joined(n *notification, c socket) bool {
	var st state
	s.states.change(c.cookie, func(now *state) {
		st = *now
		now.failed, now.untold = 0, false
	})
	switch {
	case st.failed != 0:
		s.listener.answer(n, 0, st.failed)
	case st.attempt != nil && c.nonblocking() && !c.established():
		s.listener.answer(n, 0, unix.EALREADY)
	case st.attempt != nil && c.nonblocking():
		<-st.attempt.done // does not wait long: the socket is connected already
		s.listener.answer(n, 0, st.attempt.errno)
	case st.attempt != nil:
		s.await(n, c.cookie, st.attempt)
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

// dial connects the program's socket to a destination through the gateway. It takes ownership of c, which is
// parked during the dial. A blocking call is answered with the outcome.
func (s *Session) dial(n *notification, c socket, to netip.AddrPort, address []byte) {
	a := &attempt{done: make(chan struct{}), left: c.nonblocking()}
	s.states.change(c.cookie, func(st *state) { st.attempt = a })
	p, err := s.lots.park(c, to.Addr())
	if err != nil {
		s.settle(c, a, func(st *state) {})
		c.close()
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	if a.left {
		s.listener.answer(n, 0, unix.EINPROGRESS)
	} else {
		s.running.Go(func() { s.await(n, c.cookie, a) }) // ends with the dial, or earlier
	}
	r := s.connected(c, p, a, to, address, s.caller(n))
	c.close()
	if r != nil {
		s.carry(r)
	}
}

// caller returns the name of the calling process, for the log.
func (s *Session) caller(n *notification) string {
	if s.policy.Log == nil {
		return ""
	}
	return nameOf(int(n.pid))
}

// connected dials the gateway, connects the program's socket to one of this process, and returns the two
// connections as a joint, or nil if that failed.
func (s *Session) connected(c socket, p *parked, a *attempt, to netip.AddrPort, address []byte, who string) *joint {
	began := time.Now()
	d, gateway, err := s.dialed(to)
	s.policy.Log.Dialed("tcp", d, who, began, err)
	if err != nil {
		s.fail(c, p, a, policy.Errno(err))
		return nil
	}
	s.granted.Add(1) // until add, for Drain
	defer s.granted.Add(-1)
	program, err := p.complete()
	if err != nil { // the program has given up
		a.errno = unix.ECONNABORTED
		s.settle(c, a, func(st *state) {})
		gateway.Close()
		return nil
	}
	s.settle(c, a, func(st *state) { st.peer, st.untold = address, a.left })
	s.custody.release(c.cookie)
	r := &joint{program: program, gateway: gateway, d: d, who: who, began: began}
	s.add(r)
	return r
}

// fail makes a connect fail with errno. If no call waits for the outcome, fail sets the state before poll reports
// the socket as ready. If a call waits, fail answers it after the socket is ready for another connect.
func (s *Session) fail(c socket, p *parked, a *attempt, errno unix.Errno) {
	a.errno = errno
	var left bool
	s.states.change(c.cookie, func(st *state) {
		if left = a.left; left {
			st.attempt, st.failed = nil, errno
		}
	})
	p.fail(c)
	if left {
		close(a.done)
		return
	}
	clearError(c)
	s.settle(c, a, func(st *state) {
		if a.left { // since the check above
			st.failed = errno
		}
	})
}

// clearError clears the pending error of a socket, which is ECONNRESET after parked.fail.
func clearError(c socket) { _, _ = unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR) }

// settle ends an attempt, and changes the state of its socket.
func (s *Session) settle(c socket, a *attempt, change func(*state)) {
	s.states.change(c.cookie, func(st *state) {
		st.attempt = nil
		change(st)
	})
	close(a.done)
}

// dialed connects to a destination through the gateway, or to the name server for port 53 of any address.
func (s *Session) dialed(to netip.AddrPort) (policy.Destination, net.Conn, error) {
	if to.Port() == dnsPort {
		c, err := new(net.Dialer).DialContext(s.ctx, "tcp", s.name4.String())
		return policy.Destination{Addr: to, Name: "name-server"}, c, err
	}
	d := s.policy.Destination("tcp", to)
	c, err := s.policy.Dial(s.ctx, "tcp", d)
	return d, c, err
}
