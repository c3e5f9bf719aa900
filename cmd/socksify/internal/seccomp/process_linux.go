package seccomp

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processOf returns the process of a thread.
func processOf(thread int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "\nTgid:")
	line, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if !found || err != nil {
		return 0, fmt.Errorf("/proc/%d/status: malformed", thread)
	}
	return pid, nil
}

// nameOf returns what a log calls a thread's process.
func nameOf(thread int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", thread))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s[%d]: ", strings.TrimSpace(string(comm)), thread)
}

// duplicate returns a descriptor for what a process has open under a number.
func duplicate(pid, fd int) (int, error) {
	p, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(p)
	return unix.PidfdGetfd(p, fd, 0)
}

// socket is a duplicate of a program's socket.
type socket struct {
	fd     int // -1: there is none; see custody
	domain int
	kind   int
	cookie uint64 // identifies the socket, by whichever descriptor: SO_COOKIE or, with a custody, the inode number
}

// internet reports whether a socket is TCP or UDP.
func (c socket) internet() bool { return c.domain == unix.AF_INET || c.domain == unix.AF_INET6 }
func (c socket) v6() bool       { return c.domain == unix.AF_INET6 }

func (c socket) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
}

// nonblocking reports whether calls on a socket do not wait.
func (c socket) nonblocking() bool {
	flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0
}

// established reports whether a socket of TCP is connected, if only with us.
func (c socket) established() bool {
	const tcpEstablished = 1 // TCP_ESTABLISHED of linux/tcp_states.h
	info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpEstablished
}

// socketOf duplicates the socket that a call is about. Its error is the call's errno.
func (s *Session) socketOf(n *notification) (socket, error) {
	if s.custody != nil {
		return s.heldSocketOf(n)
	}
	pid, err := processOf(int(n.pid))
	if err != nil {
		return socket{}, unix.ESRCH
	}
	fd, err := duplicate(pid, int(int32(n.args[0])))
	if err != nil {
		if err != unix.EBADF {
			s.unseen(pid, err)
		}
		return socket{}, err
	}
	if !s.listener.valid(n) { // the thread may be another by now
		unix.Close(fd)
		return socket{}, unix.EINTR
	}
	c := socket{fd: fd}
	if c.domain, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil {
		c.kind, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	}
	if err == nil {
		c.cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	}
	if err != nil {
		c.close()
		return socket{}, err
	}
	return c, nil
}

// unseen logs a process that the kernel does not let this one look at.
func (s *Session) unseen(pid int, err error) {
	s.policy.Log.Printf("process %d → refused: its sockets cannot be looked at: %v", pid, err)
}

// lookAt is socketOf that answers the call when it cannot, and reports false then.
func (s *Session) lookAt(n *notification) (socket, bool) {
	c, err := s.socketOf(n)
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
	}
	return c, err == nil
}

// errnoOf is the errno in an error of a system call.
func errnoOf(err error) unix.Errno {
	if errno, ok := err.(unix.Errno); ok {
		return errno
	}
	return unix.EIO
}

// rawConnect connects a socket to a sockaddr.
func rawConnect(fd int, sockaddr []byte) error {
	_, err := withSockaddr(unix.SYS_CONNECT, fd, sockaddr)
	return err
}
