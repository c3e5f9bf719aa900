//go:build !linux

package socks

import (
	"net"
	"time"
)

// setUserTimeout does nothing on this system.
func setUserTimeout(net.Conn, time.Duration) (restore func()) { return func() {} }
