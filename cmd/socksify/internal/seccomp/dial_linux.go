package seccomp

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

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

// fail makes a connect fail with errno. If no call waits for the outcome, fail sets the state before poll reports the
// socket as ready. If a call waits, fail ends the attempt, and so the call, only after the socket can be connected again.
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
		if a.left { // the call has returned since the check above
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
