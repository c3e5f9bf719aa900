package seccomp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification is struct seccomp_notif: a system call that waits for the supervisor.
type notification struct {
	id    uint64
	pid   uint32 // ID of the thread
	flags uint32
	// struct seccomp_data
	number  int32
	arch    uint32
	pointer uint64
	args    [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// addFD is struct seccomp_notif_addfd.
type addFD struct {
	id         uint64
	flags      uint32
	from       uint32
	to         uint32
	descriptor uint32
}

const (
	ioctlValid = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	ioctlAddFD = 0x40182103 // SECCOMP_IOCTL_NOTIF_ADDFD
	ioctlFlags = 0x40082104 // SECCOMP_IOCTL_NOTIF_SET_FLAGS
)

// listener has the descriptor of a filter's notifications. Its methods are safe for concurrent use.
type listener struct{ fd int }

// hurry makes the kernel switch from a call to the supervisor at once, on the same processor. It has no effect
// before Linux 6.6.
func (l listener) hurry() {
	const syncWakeUp = 1 // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), ioctlFlags, syncWakeUp)
}

// receive waits for the next notification. It reports false if no process has the filter any more, or if the
// descriptor stop is readable.
func (l listener) receive(stop int) (notification, bool) {
	for {
		p := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); err != nil && err != unix.EINTR {
			return notification{}, false
		}
		if p[1].Revents != 0 || p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 && p[0].Revents&unix.POLLIN == 0 {
			return notification{}, false
		}
		if p[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var n notification // must be zero for the kernel
		if l.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) == 0 {
			return n, true
		}
		// ENOENT: the call was interrupted before it was received.
	}
}

// answer ends a call with a value, or with errno if that is not 0.
func (l listener) answer(n *notification, value int64, errno unix.Errno) {
	r := response{id: n.id, value: value, errno: -int32(errno)}
	_ = l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // ENOENT: the call was interrupted
}

// proceed lets the kernel execute the call. It must not be used for a call that could reach the network by its
// memory, because the program may have changed the memory since the handler read it.
func (l listener) proceed(n *notification) {
	r := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	_ = l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
}

// valid reports whether a call still waits, and so whether its thread is still the one that made it.
func (l listener) valid(n *notification) bool {
	id := n.id
	return l.ioctl(ioctlValid, unsafe.Pointer(&id)) == 0
}

// lowest as a descriptor number means the lowest free one.
const lowest = -1

// give duplicates this process's descriptor from into the program, as number to, and ends the call with that
// number. It returns ENOENT if the call was interrupted.
func (l listener) give(n *notification, from, to int, cloexec bool) unix.Errno {
	a := addFD{id: n.id, from: uint32(from)}
	if to != lowest {
		a.flags, a.to = unix.SECCOMP_ADDFD_FLAG_SETFD, uint32(to)
	}
	if cloexec {
		a.descriptor = unix.O_CLOEXEC
	}
	a.flags |= unix.SECCOMP_ADDFD_FLAG_SEND
	_, errno := l.ioctlValue(ioctlAddFD, unsafe.Pointer(&a))
	if errno == unix.EINVAL { // before Linux 5.14, in two steps
		a.flags &^= unix.SECCOMP_ADDFD_FLAG_SEND
		var number int64
		if number, errno = l.ioctlValue(ioctlAddFD, unsafe.Pointer(&a)); errno == 0 {
			l.answer(n, number, 0)
		}
	}
	return errno
}

func (l listener) ioctl(request uintptr, arg unsafe.Pointer) unix.Errno {
	_, errno := l.ioctlValue(request, arg)
	return errno
}

func (l listener) ioctlValue(request uintptr, arg unsafe.Pointer) (int64, unix.Errno) {
	for {
		value, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), request, uintptr(arg))
		if errno != unix.EINTR {
			return int64(value), errno
		}
	}
}
