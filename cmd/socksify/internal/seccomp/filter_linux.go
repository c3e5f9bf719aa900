package seccomp

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// tagCount is the number of tags: Tags.First to Tags.First+tagCount-1.
const tagCount = 128

// Tags are the descriptor numbers of the program's datagram sockets.
type Tags struct{ First uint32 }

// tagsBelow returns the highest tags below a limit of open descriptors and below 1024.
func tagsBelow(limit uint64) (Tags, error) {
	limit = min(limit, 1024) // FD_SETSIZE, the limit of select
	if limit < 2*tagCount {
		return Tags{}, fmt.Errorf("the limit of open descriptors is %d: want %d at least", limit, 2*tagCount)
	}
	return Tags{uint32(limit) - tagCount}, nil
}

// Return values of a filter.
const (
	allow  = unix.SECCOMP_RET_ALLOW
	notify = unix.SECCOMP_RET_USER_NOTIF
)

// refuse returns the return value that makes a call fail with errno.
func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// Offsets in struct seccomp_data.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// x32 is set in the numbers of x32 system calls, which have the architecture of x86-64.
const x32 = 0x40000000

// architectures has the AUDIT_ARCH value of each supported GOARCH.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filter returns the BPF program. System calls that it does not name, such as read, write and poll, are allowed
// after a few instructions. If made is true, the supervisor makes the stream sockets too, and is notified of bind
// and listen.
func filter(t Tags, made bool) ([]unix.SockFilter, error) {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("not for %s", runtime.GOARCH)
	}
	portVerdict := uint32(allow)
	if made {
		portVerdict = notify
	}
	a := &assembler{}
	a.load(offsetArch)
	a.unless(arch, func() { a.ret(notify) }) // refuseForeign kills the process
	a.load(offsetNumber)
	if runtime.GOARCH == "amd64" {
		a.atLeast(x32, func() { a.ret(notify) })
	}
	for _, c := range []struct {
		number uint32
		rule   func()
	}{
		{unix.SYS_CONNECT, func() { a.ret(notify) }},
		{unix.SYS_GETPEERNAME, func() { a.ret(notify) }},
		{unix.SYS_SOCKET, func() { a.socket(made) }},
		{unix.SYS_BIND, func() { a.ret(portVerdict) }},
		{unix.SYS_LISTEN, func() { a.ret(portVerdict) }},
		{unix.SYS_GETSOCKOPT, a.getsockopt},
		{unix.SYS_SETSOCKOPT, a.setsockopt},
		{unix.SYS_SENDTO, a.sendto},
		{unix.SYS_SENDMSG, func() { a.send(2, t) }},
		{unix.SYS_SENDMMSG, func() { a.send(3, t) }},
		{unix.SYS_RECVFROM, func() { a.tagged(t, func() { a.unlessNull(4) }); a.ret(allow) }},
		{unix.SYS_RECVMSG, func() { a.tagged(t, func() { a.ret(notify) }); a.ret(allow) }},
		{unix.SYS_RECVMMSG, func() { a.tagged(t, func() { a.ret(notify) }); a.ret(allow) }},
		{unix.SYS_IO_URING_SETUP, func() { a.ret(refuse(unix.ENOSYS)) }},
	} {
		a.when(c.number, c.rule)
	}
	a.ret(allow)
	return a.program, a.err
}

// socket emits the rule for socket. It allows sockets of families that reach no network, and stream sockets unless
// made is true; it notifies the supervisor of the other TCP and UDP sockets and refuses the rest.
func (a *assembler) socket(made bool) {
	stream := uint32(allow)
	if made {
		stream = notify
	}
	a.arg(0)
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		a.when(family, func() {
			a.arg(1)
			a.and(0xf) // without SOCK_NONBLOCK and SOCK_CLOEXEC
			a.when(unix.SOCK_STREAM, func() {
				a.arg(2)
				a.when(0, func() { a.ret(stream) })
				a.when(unix.IPPROTO_TCP, func() { a.ret(stream) })
				a.ret(refuse(unix.EPROTONOSUPPORT)) // MPTCP, SCTP
			})
			a.when(unix.SOCK_DGRAM, func() {
				a.arg(2)
				a.when(0, func() { a.ret(notify) })
				a.when(unix.IPPROTO_UDP, func() { a.ret(notify) })
				a.ret(refuse(unix.EACCES)) // ICMP, UDP-Lite
			})
			a.ret(refuse(unix.EPERM))
		})
	}
	for _, family := range []uint32{unix.AF_UNIX, unix.AF_NETLINK, unix.AF_ALG} {
		a.when(family, func() { a.ret(allow) })
	}
	a.ret(refuse(unix.EAFNOSUPPORT))
}

// getsockopt emits the rule for getsockopt: it notifies the supervisor of SO_ERROR.
func (a *assembler) getsockopt() {
	a.arg(1)
	a.when(unix.SOL_SOCKET, func() {
		a.arg(2)
		a.when(unix.SO_ERROR, func() { a.ret(notify) })
	})
	a.ret(allow)
}

// setsockopt emits the rule for setsockopt: it refuses to bind a socket to another device than loopback.
func (a *assembler) setsockopt() {
	a.arg(1)
	a.when(unix.SOL_SOCKET, func() {
		a.arg(2)
		a.when(unix.SO_BINDTODEVICE, func() { a.ret(refuse(unix.EPERM)) })
		a.when(unix.SO_BINDTOIFINDEX, func() { a.ret(refuse(unix.EPERM)) })
	})
	a.ret(allow)
}

// sendto emits the rule for sendto. It notifies the supervisor of every call with an address, even if the socket's
// number is no tag, because the socket may have been duplicated.
func (a *assembler) sendto() {
	a.noFastOpen(3)
	a.unlessNull(4)
	a.ret(allow)
}

// send emits the rule for sendmsg or sendmmsg, with the number of the argument that has the flags.
func (a *assembler) send(flags int, t Tags) {
	a.noFastOpen(flags)
	a.tagged(t, func() { a.ret(notify) })
	a.ret(allow)
}

// noFastOpen refuses MSG_FASTOPEN, which connects by sending. Programs then use connect.
func (a *assembler) noFastOpen(flags int) {
	a.arg(flags)
	a.ifBits(unix.MSG_FASTOPEN, func() { a.ret(refuse(unix.EOPNOTSUPP)) })
}

// tagged runs then if the first argument is a tag.
func (a *assembler) tagged(t Tags, then func()) {
	a.arg(0)
	a.atLeast(t.First, func() {
		a.below(t.First+tagCount, then)
	})
}

// unlessNull notifies the supervisor if an argument is not a null pointer.
func (a *assembler) unlessNull(n int) {
	a.arg(n)
	a.unless(0, func() { a.ret(notify) })
	a.load(offsetArgs + 8*n + 4)
	a.unless(0, func() { a.ret(notify) })
}
