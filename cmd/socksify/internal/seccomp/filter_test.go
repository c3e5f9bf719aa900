package seccomp

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// call is struct seccomp_data.
type call struct {
	number int32
	arch   uint32
	args   [6]uint64
}

func (c call) bytes() []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(c.number))
	b = binary.NativeEndian.AppendUint32(b, c.arch)
	b = binary.NativeEndian.AppendUint64(b, 0)
	for _, a := range c.args {
		b = binary.NativeEndian.AppendUint64(b, a)
	}
	return b
}

// simulate runs a BPF program like the kernel, and returns its return value.
func simulate(t testing.TB, program []unix.SockFilter, c call) uint32 {
	data := c.bytes()
	var a uint32
	for pc := 0; pc < len(program); pc++ {
		i := program[pc]
		jump := func(yes bool) {
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = binary.NativeEndian.Uint32(data[i.K:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= i.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == i.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= i.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(a&i.K != 0)
		case unix.BPF_RET | unix.BPF_K:
			return i.K
		default:
			t.Fatalf("instruction %#x", i.Code)
		}
	}
	t.Fatal("the program has no end")
	return 0
}

var testTags = Tags{896}

// expected is a second implementation of the filter, in Go.
func expected(c call, made bool) uint32 {
	if c.arch != architectures[runtime.GOARCH] || runtime.GOARCH == "amd64" && uint32(c.number) >= x32 {
		return notify
	}
	arg := func(n int) uint32 { return uint32(c.args[n]) }
	tagged := arg(0) >= 896 && arg(0) < 1024
	notifyIf := func(yes bool) uint32 {
		if yes {
			return notify
		}
		return allow
	}
	switch c.number {
	case unix.SYS_CONNECT, unix.SYS_GETPEERNAME:
		return notify
	case unix.SYS_SOCKET:
		return expectedSocket(arg(0), arg(1)&0xf, arg(2), made)
	case unix.SYS_BIND, unix.SYS_LISTEN:
		return notifyIf(made)
	case unix.SYS_GETSOCKOPT:
		return notifyIf(arg(1) == unix.SOL_SOCKET && arg(2) == unix.SO_ERROR)
	case unix.SYS_SETSOCKOPT:
		if arg(1) == unix.SOL_SOCKET && (arg(2) == unix.SO_BINDTODEVICE || arg(2) == unix.SO_BINDTOIFINDEX) {
			return refuse(unix.EPERM)
		}
		return allow
	case unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG:
		flags := map[int32]int{unix.SYS_SENDTO: 3, unix.SYS_SENDMSG: 2, unix.SYS_SENDMMSG: 3}[c.number]
		if arg(flags)&unix.MSG_FASTOPEN != 0 {
			return refuse(unix.EOPNOTSUPP)
		}
		return notifyIf(c.number == unix.SYS_SENDTO && c.args[4] != 0 || c.number != unix.SYS_SENDTO && tagged)
	case unix.SYS_RECVFROM:
		return notifyIf(tagged && c.args[4] != 0)
	case unix.SYS_RECVMSG, unix.SYS_RECVMMSG:
		return notifyIf(tagged)
	case unix.SYS_IO_URING_SETUP:
		return refuse(unix.ENOSYS)
	}
	return allow
}

func expectedSocket(family, kind, protocol uint32, made bool) uint32 {
	switch family {
	case unix.AF_UNIX, unix.AF_NETLINK, unix.AF_ALG:
		return allow
	case unix.AF_INET, unix.AF_INET6:
	default:
		return refuse(unix.EAFNOSUPPORT)
	}
	switch kind {
	case unix.SOCK_STREAM:
		if (protocol == 0 || protocol == unix.IPPROTO_TCP) && made {
			return notify
		}
		if protocol == 0 || protocol == unix.IPPROTO_TCP {
			return allow
		}
		return refuse(unix.EPROTONOSUPPORT)
	case unix.SOCK_DGRAM:
		if protocol == 0 || protocol == unix.IPPROTO_UDP {
			return notify
		}
		return refuse(unix.EACCES)
	}
	return refuse(unix.EPERM)
}

// numbers has the system calls with a rule in the filter, and some without.
var numbers = []int32{
	unix.SYS_CONNECT, unix.SYS_GETPEERNAME, unix.SYS_SOCKET, unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT, unix.SYS_SENDTO,
	unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_IO_URING_SETUP,
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT4, 1000, x32 + 42, -1,
}

// interesting has values of arguments at which the filter's return value changes.
var interesting = []uint64{
	0, 1, 2, 3, 4, 5, 6, 10, 16, 17, 25, 38, 62, 132, 136, 262, 895, 896, 1000, 1023, 1024, unix.SOCK_NONBLOCK | unix.SOCK_DGRAM,
	unix.MSG_FASTOPEN, unix.MSG_FASTOPEN | 1, 1 << 32, 1<<63 | 2, 1<<64 - 1,
}

// programs returns the filters with made false and true.
func programs(t testing.TB) map[bool][]unix.SockFilter {
	both := map[bool][]unix.SockFilter{}
	for _, made := range []bool{false, true} {
		program, err := filter(testTags, made)
		require.NoError(t, err)
		require.Less(t, len(program), 4096)
		both[made] = program
	}
	return both
}

func TestFilterAgreesWithItsSecondImplementation(t *testing.T) {
	for made, program := range programs(t) {
		for _, number := range numbers {
			for _, a := range interesting {
				for _, b := range interesting {
					for _, c := range interesting {
						for _, d := range []uint64{0, 1, 1 << 40} {
							check(t, program, made, call{number, architectures[runtime.GOARCH], [6]uint64{a, b, c, c, d}})
						}
					}
				}
			}
		}
		for _, arch := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, 0} {
			check(t, program, made, call{unix.SYS_READ, arch, [6]uint64{}})
		}
	}
}

func check(t testing.TB, program []unix.SockFilter, made bool, c call) {
	if got := simulate(t, program, c); got != expected(c, made) {
		t.Fatalf("%+v: %#x, want %#x", c, got, expected(c, made))
	}
}

func FuzzFilter(f *testing.F) {
	both := programs(f)
	f.Add(int32(unix.SYS_SENDTO), architectures[runtime.GOARCH], uint64(900), uint64(1), uint64(2), uint64(3), uint64(4), false)
	f.Add(int32(unix.SYS_SOCKET), architectures[runtime.GOARCH], uint64(2), uint64(1), uint64(6), uint64(0), uint64(0), true)
	f.Fuzz(func(t *testing.T, number int32, arch uint32, a, b, c, d, e uint64, made bool) {
		check(t, both[made], made, call{number, arch, [6]uint64{a, b, c, d, e}})
	})
}

func TestTagsAreBelowTheLimitOfDescriptors(t *testing.T) {
	for limit, want := range map[uint64]uint32{256: 128, 1024: 896, 1 << 20: 896} {
		got, err := tagsBelow(limit)
		require.NoError(t, err)
		require.Equal(t, want, got.First)
	}
	_, err := tagsBelow(255)
	require.ErrorContains(t, err, "limit of open descriptors")
}

// A jump whose distance does not fit into a byte is an error.
func TestJumpTooFarIsAnError(t *testing.T) {
	a := &assembler{}
	a.when(1, func() {
		for range 256 {
			a.ret(allow)
		}
	})
	require.Error(t, a.err)
}
