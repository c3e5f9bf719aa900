//go:build !linux

package socks

// watcher watches nothing on this system: each association reads its control connection in a goroutine.
type watcher struct{}

func (*watcher) add(*PacketConn) bool { return false }

func (*watcher) remove(*PacketConn) bool { return false }
