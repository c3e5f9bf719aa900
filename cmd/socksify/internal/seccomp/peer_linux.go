package seccomp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// getpeername returns the address that the program connected to, in place of the relay's.
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
	case st.peer == nil && st.attempt == nil: // of another family, among others
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
	s.states.change(c.cookie, func(st *state) { failed, st.failed = st.failed, 0 })
	if failed == 0 {
		s.listener.proceed(n)
		return
	}
	clearError(c)
	value := binary.NativeEndian.AppendUint32(nil, uint32(failed))
	s.listener.answer(n, 0, orZero(memory{int(n.pid)}.result(n.args[3], n.args[4], value)))
}
