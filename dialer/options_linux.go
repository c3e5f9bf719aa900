package dialer

import "golang.org/x/sys/unix"

// options are socket options to copy from one association's socket to another's.
type options []option

type option struct{ level, name, value int }

// optionsHaveBuffers reports whether options include the sizes of the buffers.
const optionsHaveBuffers = true

// optionsOf returns the options of the socket fd that applications set by SyscallConn.
func optionsOf(fd uintptr) (all options) {
	for _, o := range [...]option{
		{level: unix.IPPROTO_IP, name: unix.IP_MTU_DISCOVER},
		{level: unix.IPPROTO_IPV6, name: unix.IPV6_MTU_DISCOVER},
		{level: unix.SOL_SOCKET, name: unix.SO_RCVBUF},
		{level: unix.SOL_SOCKET, name: unix.SO_SNDBUF},
	} {
		var err error
		if o.value, err = unix.GetsockoptInt(int(fd), o.level, o.name); err == nil { // fails for the other family
			all = append(all, o)
		}
	}
	return all
}

// apply sets the options on the socket fd. It ignores errors.
func (all options) apply(fd uintptr) {
	for _, o := range all {
		if o.level == unix.SOL_SOCKET {
			o.value /= 2 // the system reports twice the size that was set
			force := map[int]int{unix.SO_RCVBUF: unix.SO_RCVBUFFORCE, unix.SO_SNDBUF: unix.SO_SNDBUFFORCE}[o.name]
			if unix.SetsockoptInt(int(fd), o.level, force, o.value) == nil {
				continue
			}
		}
		_ = unix.SetsockoptInt(int(fd), o.level, o.name, o.value)
	}
}
