//go:build !linux

package socks

// watcher is for Linux: elsewhere each association watches its control connection itself.
type watcher struct{}

func (*watcher) add(*PacketConn) bool { return false }

func (*watcher) remove(*PacketConn) bool { return false }
