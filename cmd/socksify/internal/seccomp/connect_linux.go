package seccomp

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
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
