//go:build !linux

package resolver

import "net"

// newDatagrams returns what a reader uses of a socket. No system but Linux takes several datagrams at once.
func newDatagrams(p net.PacketConn) datagrams { return newSingle(p) }
