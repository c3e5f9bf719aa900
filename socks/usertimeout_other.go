//go:build !linux

package socks

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the system cannot tell a dead path from a slow destination.
func setUserTimeout(net.Conn, time.Duration) (restore func()) { return func() {} }
