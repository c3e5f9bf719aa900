package seccomp

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// getpeername answers a getpeername with the address that the program connected to, in place of the relay's.
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
	if st.attempt != nil && c.established() { // poll may have told the program already
		<-st.attempt.done
		st = s.states.get(c.cookie)
	}
	switch {
	case st.peer == nil && st.attempt == nil: // for instance of another family
		s.listener.proceed(n)
	case st.peer == nil:
		s.listener.answer(n, 0, unix.ENOTCONN)
	default:
		s.listener.answer(n, 0, orZero(memory{int(n.pid)}.result(n.args[1], n.args[2], st.peer)))
	}
}

// socketError answers a getsockopt of SO_ERROR. After a connect that failed while the socket was parked, it
// returns that error once.
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
