//go:build !linux

package resolver

import "net"

// newDatagrams returns a single: only Linux reads several datagrams with one system call.
func newDatagrams(p net.PacketConn) datagrams { return newSingle(p) }
