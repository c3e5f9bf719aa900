//go:build !linux

package link

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"time"
)

// Near and Far are not used on this system.
var Near, Far netip.Addr

// Isolate does nothing: this system has no namespaces.
func Isolate(*exec.Cmd, bool) {}

// Loopback returns errors.ErrUnsupported.
func Loopback() error { return errors.ErrUnsupported }

// FastOpen returns errors.ErrUnsupported.
func FastOpen() error { return errors.ErrUnsupported }

// Open returns errors.ErrUnsupported.
func Open(netip.Addr) (*os.File, error) { return nil, errors.ErrUnsupported }

// Join does nothing, because Open returns no ends.
func Join(near, far *os.File, d *Delay) {}

func sleep(d time.Duration) { time.Sleep(d) }
