package socks

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watcher watches the control connections of a Client in one goroutine, by epoll. With package net, each idle
// association would hold the stack of a goroutine. The zero watcher is ready for use.
type watcher struct {
	mu    sync.Mutex
	epoll *epoll // nil: nothing is watched
}

// epoll is an epoll instance and the associations that it watches. It is guarded by watcher.mu.
type epoll struct {
	fd    int
	file  *os.File              // fd as a file, so that package os can wait for it
	conns map[int32]*PacketConn // by the control connection's descriptor, which stays open while it is in conns
}

// add starts watching p. It reports false if the watcher cannot watch p: its connections are not plain sockets, or
// no descriptor is available.
func (w *watcher) add(p *PacketConn) bool {
	control := plainSocket(p.control)
	if control == nil || p.udp == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.epoll
	if e == nil {
		if e = newEpoll(); e == nil {
			return false
		}
	}
	added := false
	_ = control.Control(func(fd uintptr) {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}
		if added = unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, int(fd), &event) == nil; added {
			p.watchedAs, e.conns[event.Fd] = event.Fd, p
		}
	})
	switch {
	case w.epoll != nil:
	case added:
		w.epoll = e
		go w.run(e) // owned by w; ends when remove closes e
	default:
		e.file.Close()
	}
	return added
}

// plainSocket returns access to the socket of c if c is a TCP or unix connection without a wrapper, and nil
// otherwise.
func plainSocket(c net.Conn) syscall.RawConn {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		raw, _ := c.(syscall.Conn).SyscallConn() // fails only for nil pointers
		return raw
	}
	return nil
}

// newEpoll returns a new epoll instance, or nil if the system cannot make one.
func newEpoll() *epoll {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	_ = unix.SetNonblock(fd, true) // so that package os waits for it with the runtime's poller
	file := os.NewFile(uintptr(fd), "epoll")
	if file.SetReadDeadline(time.Time{}) != nil { // the poller does not support it
		file.Close()
		return nil
	}
	return &epoll{fd: fd, file: file, conns: make(map[int32]*PacketConn)}
}

// remove stops watching p, and reports whether p was watched. If so, the caller must call p.end. The watcher's
// goroutine ends when the last association is removed.
func (w *watcher) remove(p *PacketConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.epoll
	if e == nil || e.conns[p.watchedAs] != p {
		return false
	}
	_ = unix.EpollCtl(e.fd, unix.EPOLL_CTL_DEL, int(p.watchedAs), nil)
	delete(e.conns, p.watchedAs)
	if len(e.conns) == 0 {
		w.epoll = nil
		e.file.Close()
	}
	return true
}

// run ends the associations whose control connections end, until e is closed.
func (w *watcher) run(e *epoll) {
	raw, err := e.file.SyscallConn()
	if err != nil {
		return // e is closed
	}
	var events [16]unix.EpollEvent
	ready := 0
	poll := func(fd uintptr) bool {
		ready, _ = unix.EpollWait(int(fd), events[:], 0)
		return ready > 0
	}
	for raw.Read(poll) == nil {
		for _, event := range events[:ready] {
			w.mu.Lock()
			p := e.conns[event.Fd]
			w.mu.Unlock()
			if p == nil { // removed by Close
				continue
			}
			if err := p.readAvailable(); err != nil && w.remove(p) {
				p.end(err)
			}
		}
	}
}

// readAvailable reads from the control connection without waiting, and returns an error if the association has
// ended. There may be nothing to read, because the event may be from an earlier connection with the same
// descriptor.
func (p *PacketConn) readAvailable() error {
	var b [64]byte
	var n int
	var err error
	failed := plainSocket(p.control).Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), b[:])
		return true
	})
	switch {
	case failed != nil:
		return p.readControl(0, failed)
	case err == unix.EAGAIN, err == unix.EINTR:
		return nil
	case err != nil:
		local, remote := p.control.LocalAddr(), p.control.RemoteAddr()
		return p.readControl(0, &net.OpError{Op: "read", Net: remote.Network(), Source: local, Addr: remote, Err: os.NewSyscallError("read", err)})
	case n == 0:
		return p.readControl(0, io.EOF)
	}
	return p.readControl(n, nil)
}
