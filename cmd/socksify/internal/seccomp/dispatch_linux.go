package seccomp

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// handlers has the handler of each system call that the filter notifies the supervisor of. A handler answers the call, or
// lets it proceed.
var handlers = map[int32]func(*Session, *notification){
	unix.SYS_CONNECT:     (*Session).connect,
	unix.SYS_GETPEERNAME: (*Session).getpeername,
	unix.SYS_GETSOCKOPT:  (*Session).socketError,
	unix.SYS_SOCKET:      (*Session).makeSocket,
	unix.SYS_BIND:        (*Session).bind,
	unix.SYS_LISTEN:      (*Session).listen,
	unix.SYS_SENDTO:      (*Session).sendto,
	unix.SYS_SENDMSG:     (*Session).sendmsg,
	unix.SYS_SENDMMSG:    (*Session).sendmmsg,
	unix.SYS_RECVFROM:    (*Session).recvfrom,
	unix.SYS_RECVMSG:     (*Session).recvmsg,
	unix.SYS_RECVMMSG:    (*Session).recvmmsg,
}

// handle answers one system call.
func (s *Session) handle(n *notification) {
	if n.arch != architectures[runtime.GOARCH] || runtime.GOARCH == "amd64" && n.number >= x32 {
		s.refuseForeign(n)
		return
	}
	if handler := handlers[n.number]; handler != nil {
		handler(s, n)
		return
	}
	s.listener.answer(n, 0, unix.ENOSYS)
}

// refuseForeign kills a process of another architecture, whose system calls have other numbers and structures. It
// reports that in the log, and on the process's standard error if it can duplicate or open that.
func (s *Session) refuseForeign(n *notification) {
	const line = "32-bit and x32 programs need -by namespace"
	pid, err := processOf(int(n.pid))
	if err != nil || !s.listener.valid(n) {
		return
	}
	fd, err := duplicate(pid, 2)
	if err != nil {
		fd, err = unix.Open(fmt.Sprintf("/proc/%d/fd/2", pid), unix.O_WRONLY|unix.O_APPEND|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		_, _ = unix.Write(fd, []byte("socksify: "+line+"\n"))
		unix.Close(fd)
	}
	s.policy.Log.Printf("%srefused: %s", nameOf(pid), line)
	_ = unix.Kill(pid, unix.SIGKILL)
}
