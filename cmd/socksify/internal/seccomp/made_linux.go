package seccomp

// The supervisor makes the program's datagram sockets, and with a custody its stream sockets too. This file makes them, and
// has the handlers that work on a socket of the custody.

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// makeSocket makes an Internet socket for the program: a datagram socket, or a stream socket if there is a
// custody. A datagram socket is bound to the loopback device, so that no datagram leaves this machine by mistake.
func (s *Session) makeSocket(n *notification) {
	kind := int(int32(n.args[1]))
	c, err := newSocket(int(int32(n.args[0])), kind, int(int32(n.args[2])))
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	cloexec := kind&unix.SOCK_CLOEXEC != 0
	if c.kind == unix.SOCK_STREAM {
		if errno := s.give(n, c, lowest, cloexec); errno != 0 {
			s.listener.answer(n, 0, errno)
		}
		return
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	to, ok := s.freeTag(int(n.pid))
	if !ok {
		c.close()
		s.listener.answer(n, 0, unix.EMFILE)
		return
	}
	switch errno := s.give(n, c, to, cloexec); errno {
	case 0:
	case unix.EBADF:
		s.policy.Log.Printf("%sudp → refused: the limit of open descriptors has to be %d", nameOf(int(n.pid)), to+1)
		s.listener.answer(n, 0, unix.EMFILE)
	default:
		s.listener.answer(n, 0, errno)
	}
}

// newSocket makes a socket. If it is a datagram socket, newSocket binds it to the loopback device.
func newSocket(domain, kind, protocol int) (socket, error) {
	c := socket{domain: domain, kind: kind & 0xf}
	var err error
	if c.fd, err = unix.Socket(domain, c.kind|unix.SOCK_CLOEXEC|kind&unix.SOCK_NONBLOCK, protocol); err != nil {
		return socket{}, err
	}
	var info unix.Stat_t
	err = unix.Fstat(c.fd, &info)
	if err == nil && c.kind == unix.SOCK_DGRAM {
		err = unix.BindToDevice(c.fd, "lo")
	}
	c.cookie = info.Ino
	if err != nil {
		c.close()
	}
	return c, err
}

// give gives the program a duplicate of c with the number to, and returns that number from the call. It takes
// ownership of c. If it fails, it does not answer the call.
func (s *Session) give(n *notification, c socket, to int, cloexec bool) unix.Errno {
	if s.custody == nil {
		defer c.close()
		return s.listener.give(n, c.fd, to, cloexec)
	}
	s.states.forget(c.cookie) // an earlier socket may have had the inode number
	s.custody.add(c)
	errno := s.listener.give(n, c.fd, to, cloexec)
	if errno != 0 {
		s.custody.release(c.cookie)
		return errno
	}
	s.custody.given(c.cookie)
	return 0
}

// freeTag returns a tag that is not in use in a thread's process. It reports false if all are in use.
func (s *Session) freeTag(thread int) (int, bool) {
	for i := range tagCount {
		to := int(s.tags.First) + i
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", thread, to)); os.IsNotExist(err) {
			return to, true
		}
	}
	return 0, false
}

// bind informs the custody of a bind, and lets it proceed.
func (s *Session) bind(n *notification) {
	if inode, err := inodeOf(int(n.pid), int(int32(n.args[0]))); err == nil {
		s.custody.bind(inode)
	}
	s.listener.proceed(n)
}

// listen informs the custody of a listen, and lets it proceed.
func (s *Session) listen(n *notification) {
	if inode, err := inodeOf(int(n.pid), int(int32(n.args[0]))); err == nil {
		s.custody.bind(inode)
		s.custody.release(inode)
	}
	s.listener.proceed(n)
}

// heldSocketOf is socketOf with a custody. The result has no descriptor if the custody does not hold the socket, because it
// was released, accepted or inherited, or is of another family.
func (s *Session) heldSocketOf(n *notification) (socket, error) {
	inode, err := inodeOf(int(n.pid), int(int32(n.args[0])))
	if err == unix.EPERM {
		s.unseen(int(n.pid), err)
	}
	if err != nil {
		return socket{}, err
	}
	if !s.listener.valid(n) { // the ID may belong to another thread now
		return socket{}, unix.EINTR
	}
	if c, ok := s.custody.get(inode); ok {
		return c, nil
	}
	return socket{fd: -1, cookie: inode}, nil
}

// noNetwork reports whether a socket is of a family that cannot reach a network, so that its calls may proceed.
func (s *Session) noNetwork(n *notification, c socket) bool {
	if c.fd < 0 {
		return listed(int(n.pid), c.cookie, unixTables)
	}
	return !c.internet()
}

// sendsElsewhere reports whether a message on a socket may go to an address that the message has.
func (s *Session) sendsElsewhere(n *notification, c socket) bool {
	if c.fd < 0 {
		return !listed(int(n.pid), c.cookie, unixTables) && !listed(int(n.pid), c.cookie, tcpTables)
	}
	return c.internet() && c.kind != unix.SOCK_STREAM
}

// connectReleased answers a connect on a socket that the custody has released: it is connected, listens, or cannot be
// connected.
func (s *Session) connectReleased(n *notification, c socket, address []byte) {
	disconnects := len(address) >= 2 && familyOf(address) == unix.AF_UNSPEC
	switch {
	case !disconnects && s.joined(n, c):
	case !disconnects && listed(int(n.pid), c.cookie, tcpTables):
		s.listener.answer(n, 0, unix.EISCONN)
	default:
		s.policy.Log.Printf("%stcp → refused: a socket that was inherited, or that is connected again", nameOf(int(n.pid)))
		s.listener.answer(n, 0, unix.EOPNOTSUPP)
	}
}

// releaseConnected waits until a nonblocking connect to this machine has ended, and releases the socket if it is
// connected.
func (s *Session) releaseConnected(c socket, sockaddr []byte) {
	p := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLOUT}}
	for p[0].Revents == 0 && s.ctx.Err() == nil {
		_, _ = unix.Poll(p, int(look/time.Millisecond))
	}
	const tcpClose = 7 // TCP_CLOSE of linux/tcp_states.h
	if info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil && info.State != tcpClose {
		s.states.change(c.cookie, func(st *state) { st.peer, st.untold = sockaddr, true })
		s.custody.release(c.cookie)
	}
}
