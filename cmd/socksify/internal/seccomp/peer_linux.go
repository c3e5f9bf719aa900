package seccomp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// getpeername tells the program whom it believes to be connected with.
func (s *Session) getpeername(n *notification) {
	if int32(n.args[0]) == -1 && n.args[2] == insideMark {
		s.listener.answer(n, 0, insideErrno)
		return
	}
	c, ok := s.lookAt(n)
	if !ok {
		return
	}
	defer c.close()
	st := s.states.get(c.cookie)
	if st.attempt != nil && c.established() { // the program knows already, by poll
		<-st.attempt.done
		st = s.states.get(c.cookie)
	}
	switch {
	case !c.internet() || st.peer == nil && st.attempt == nil:
		s.listener.proceed(n)
	case st.peer == nil:
		s.listener.answer(n, 0, unix.ENOTCONN)
	default:
		s.listener.answer(n, 0, orZero(memory{int(n.pid)}.result(n.args[1], n.args[2], st.peer)))
	}
}

// socketError answers getsockopt(SO_ERROR) after a connect that failed while the socket was parked, once.
func (s *Session) socketError(n *notification) {
	c, ok := s.lookAt(n)
	if !ok {
		return
	}
	defer c.close()
	var failed unix.Errno
	s.states.change(c.cookie, func(st *state) {
		if st.attempt == nil {
			failed, st.failed = st.failed, 0
		}
	})
	if failed == 0 {
		s.listener.proceed(n)
		return
	}
	_, _ = unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR) // the kernel's own word for it is not to be told later
	value := binary.NativeEndian.AppendUint32(nil, uint32(failed))
	s.listener.answer(n, 0, orZero(memory{int(n.pid)}.result(n.args[3], n.args[4], value)))
}
