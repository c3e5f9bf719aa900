package socks_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The addresses of a reflector: a listener at nearIP is reached at farIP, over a link whose packets can be
// dropped.
const (
	nearIP = "10.9.0.1"
	farIP  = "10.9.0.2"
)

// reflector is the other end of a link. It sends each TCP segment back with its addresses swapped, so that this
// machine connects to itself as if to another one. It needs its own network namespace.
type reflector struct {
	tun  *os.File
	drop atomic.Pointer[func(segment []byte) bool] // nil: none is dropped
}

func newReflector() (*reflector, error) {
	tun, err := openTUN("reflector")
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"addr", "add", nearIP + "/24", "dev", "reflector"}, {"link", "set", "reflector", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("ip %v: %w: %s", args, err, out), tun.Close())
		}
	}
	r := &reflector{tun: tun}
	go r.run() // ends with close
	return r, nil
}

func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("/dev/net/tun: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

func (r *reflector) run() {
	const source, destination, tcp = 12, 16, 6
	packet := make([]byte, 1<<16)
	for {
		n, err := r.tun.Read(packet)
		if err != nil {
			return
		}
		b := packet[:n]
		if n < 40 || b[0]>>4 != 4 || b[9] != tcp {
			continue
		}
		if drop := r.drop.Load(); drop != nil && (*drop)(b[4*int(b[0]&0xf):]) {
			continue
		}
		for i := range 4 { // the checksums stay correct, because they are sums
			b[source+i], b[destination+i] = b[destination+i], b[source+i]
		}
		_, _ = r.tun.Write(b)
	}
}

func (r *reflector) close() error { return r.tun.Close() }

// isSYN reports whether a segment is the first of a connection, and whether it has data.
func isSYN(segment []byte) (syn, data bool) {
	const flags, offset, synFlag, ackFlag = 13, 12, 0x02, 0x10
	return segment[flags]&(synFlag|ackFlag) == synFlag, len(segment) > 4*int(segment[offset]>>4)
}
