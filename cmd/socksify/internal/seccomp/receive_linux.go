package seccomp

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// uint32Bytes returns the bytes of n in native order.
func uint32Bytes(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// recvfrom answers a recvfrom. It returns an answer of socksify's name server as if it came from the server that the
// program sent to, because programs compare the two addresses.
func (s *Session) recvfrom(n *notification) {
	c, ok := s.lookAt(n)
	if !ok {
		return
	}
	defer c.close()
	asked := s.states.get(c.cookie).asked
	if asked == nil {
		s.listener.proceed(n)
		return
	}
	m := memory{int(n.pid)}
	b := make([]byte, min(n.args[2], maxDatagram))
	got, _, err := s.receive(n, c, b, int(int32(n.args[3])))
	if err == nil {
		err = m.write(n.args[1], b[:min(got, len(b))])
	}
	if err == nil {
		err = m.result(n.args[4], n.args[5], asked)
	}
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	s.listener.answer(n, int64(got), 0)
}

// receive waits for a datagram as the program's call would: not with MSG_DONTWAIT or O_NONBLOCK, until SO_RCVTIMEO or until
// a signal. If flags has MSG_TRUNC, it returns the whole length of a datagram that is longer than b.
func (s *Session) receive(n *notification, c socket, b []byte, flags int) (got int, truncated bool, err error) {
	wait := flags&unix.MSG_DONTWAIT == 0 && !c.nonblocking()
	deadline := receiveDeadline(c)
	for {
		got, truncated, err = rawReceive(c.fd, b, flags|unix.MSG_DONTWAIT)
		if err != unix.EAGAIN || !wait || s.ctx.Err() != nil {
			return got, truncated, err
		}
		if !deadline.IsZero() && time.Now().After(deadline) {
			return 0, false, unix.EAGAIN
		}
		p := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
		_, _ = unix.Poll(p, int(look.Milliseconds()))
		if !s.listener.valid(n) || interrupted(n) {
			return 0, false, restart
		}
	}
}

// receiveDeadline returns the time at which a receive that begins now times out by SO_RCVTIMEO; the zero time
// means never.
func receiveDeadline(c socket) time.Time {
	t, err := unix.GetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	if err != nil || t.Nano() == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(t.Nano()))
}

// recvmsg answers a recvmsg, as recvfrom does.
func (s *Session) recvmsg(n *notification) {
	if length, ok := s.receiveAt(n, n.args[1], int(int32(n.args[2]))); ok {
		s.listener.answer(n, int64(length), 0)
	}
}

// recvmmsg answers a recvmmsg. It receives only one message, which the call's interface allows.
func (s *Session) recvmmsg(n *notification) {
	if uint32(n.args[2]) == 0 {
		s.listener.answer(n, 0, 0)
		return
	}
	at := n.args[1]
	length, ok := s.receiveAt(n, at, int(int32(n.args[3])))
	if !ok {
		return
	}
	if err := (memory{int(n.pid)}).write(at+sizeMsghdr, uint32Bytes(uint32(length))); err != nil {
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	s.listener.answer(n, 1, 0)
}

// receiveAt receives an answer of socksify's name server into the struct msghdr at an address, and returns its length. It
// lets the call proceed on a socket that has asked no name server. If it has answered the call, or let it proceed, it
// reports false.
func (s *Session) receiveAt(n *notification, at uint64, flags int) (length int, ok bool) {
	c, msg, ok := s.messageOf(n, at)
	if !ok {
		return 0, false
	}
	defer c.close()
	asked := s.states.get(c.cookie).asked
	if asked == nil {
		s.listener.proceed(n)
		return 0, false
	}
	length, err := s.receiveMessage(n, c, msg, at, flags, asked)
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
		return 0, false
	}
	return length, true
}

// Offsets in struct msghdr of fields that the kernel sets.
const (
	offsetNameLength    = 8
	offsetControlLength = 40
	offsetFlags         = 48
)

// receiveMessage receives a datagram into the program's message, whose struct msghdr is at an address, with asked as the
// sender. It returns the length of the datagram.
func (s *Session) receiveMessage(n *notification, c socket, msg message, at uint64, flags int, asked []byte) (int, error) {
	m := memory{int(n.pid)}
	segments, _, err := segmentsOf(m, msg)
	if err != nil {
		return 0, err
	}
	size := 0
	for _, seg := range segments {
		size += seg.length
	}
	b := make([]byte, size)
	got, truncated, err := s.receive(n, c, b, flags)
	if err != nil {
		return 0, err
	}
	if err := m.scatter(segments, b[:min(got, size)]); err != nil {
		return 0, err
	}
	var outFlags uint32
	if truncated {
		outFlags = unix.MSG_TRUNC
	}
	if msg.named() {
		if err := m.write(msg.name, asked[:min(len(asked), int(msg.nameLength))]); err != nil {
			return 0, err
		}
		if err := m.write(at+offsetNameLength, uint32Bytes(uint32(len(asked)))); err != nil {
			return 0, err
		}
	}
	if err := m.write(at+offsetControlLength, make([]byte, 8)); err != nil {
		return 0, err
	}
	return got, m.write(at+offsetFlags, uint32Bytes(outFlags))
}
