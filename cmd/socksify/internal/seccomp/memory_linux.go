package seccomp

import (
	"encoding/binary"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// memory is the memory of a thread. The program may change it at any time, so a handler must read each value once.
type memory struct{ pid int }

// read returns n bytes at an address.
func (m memory) read(at uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	if n == 0 {
		return b, nil
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(n)
	got, err := unix.ProcessVMReadv(m.pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: n}}, 0)
	if err == unix.EPERM {
		got, err = m.file(os.O_RDONLY, func(fd int) (int, error) { return unix.Pread(fd, b, int64(at)) })
	}
	if err == nil && got != n {
		err = unix.EFAULT
	}
	return b, err
}

// write writes b to an address.
func (m memory) write(at uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	put, err := unix.ProcessVMWritev(m.pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(b)}}, 0)
	if err == unix.EPERM {
		put, err = m.file(os.O_WRONLY, func(fd int) (int, error) { return unix.Pwrite(fd, b, int64(at)) })
	}
	if err == nil && put != len(b) {
		err = unix.EFAULT
	}
	return err
}

// scatter writes b to buffers, one after the other.
func (m memory) scatter(buffers []segment, b []byte) error {
	for _, seg := range buffers {
		part := b[:min(len(b), seg.length)]
		if err := m.write(seg.at, part); err != nil {
			return err
		}
		b = b[len(part):]
	}
	return nil
}

// file calls do with a descriptor of /proc/PID/mem. Some profiles of containers forbid process_vm_readv but not
// this file, for which the kernel requires the same rights.
func (m memory) file(flags int, do func(fd int) (int, error)) (int, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(m.pid)+"/mem", flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, unix.EPERM
	}
	defer unix.Close(fd)
	n, err := do(fd)
	if err == unix.EIO || err == unix.EINVAL { // the address is not mapped, or invalid
		err = unix.EFAULT
	}
	return n, err
}

// result writes value into the buffer at the address at, as far as it fits into the length at lengthAt, and the
// whole length to lengthAt, like getpeername.
func (m memory) result(at, lengthAt uint64, value []byte) error {
	b, err := m.read(lengthAt, 4)
	if err != nil {
		return err
	}
	room := int32(binary.NativeEndian.Uint32(b))
	if room < 0 {
		return unix.EINVAL
	}
	if err := m.write(at, value[:min(len(value), int(room))]); err != nil {
		return err
	}
	return m.write(lengthAt, binary.NativeEndian.AppendUint32(nil, uint32(len(value))))
}
