package seccomp

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processOf returns the process ID of a thread.
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

// nameOf returns the name of a thread and its ID as the prefix of a log line, or "" if the thread has ended.
func nameOf(thread int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", thread))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s[%d]: ", strings.TrimSpace(string(comm)), thread)
}

// duplicate returns a duplicate of a process's descriptor.
func duplicate(pid, fd int) (int, error) {
	p, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(p)
	return unix.PidfdGetfd(p, fd, 0)
}

// socket is a duplicate of one of the program's sockets.
type socket struct {
	fd     int // -1: none; see custody
	domain int
	kind   int
	cookie uint64 // identifies the socket independently of its descriptors: SO_COOKIE or, with a custody, the inode number
}

// internet reports whether c is an IPv4 or IPv6 socket.
func (c socket) internet() bool { return c.domain == unix.AF_INET || c.domain == unix.AF_INET6 }
func (c socket) v6() bool       { return c.domain == unix.AF_INET6 }

func (c socket) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
}

// nonblocking reports whether c has O_NONBLOCK.
func (c socket) nonblocking() bool {
	flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0
}

// established reports whether a TCP socket is connected, to its destination or to this process.
func (c socket) established() bool {
	const tcpEstablished = 1 // TCP_ESTABLISHED of linux/tcp_states.h
	info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpEstablished
}

// socketOf duplicates the socket in the first argument of a call. Its error is the errno of the call.
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
	if !s.listener.valid(n) { // the ID may belong to another thread now
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

// unseen logs that the kernel does not let this process look at the sockets of a process.
func (s *Session) unseen(pid int, err error) {
	s.policy.Log.Printf("process %d → refused: its sockets cannot be looked at: %v", pid, err)
}

// lookAt is like socketOf, but if that fails, it answers the call and reports false.
func (s *Session) lookAt(n *notification) (socket, bool) {
	c, err := s.socketOf(n)
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
	}
	return c, err == nil
}

// errnoOf returns err if it is an errno, otherwise EIO.
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
