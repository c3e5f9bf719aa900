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

// watcher waits for the ends of a Client's control connections in one goroutine, by epoll. With package net alone
// each of them takes a goroutine, whose stack an idle association would hold. The zero watcher is ready for use.
type watcher struct {
	mu    sync.Mutex
	epoll *epoll // nil: nothing is watched
}

// epoll is an epoll instance and what it watches. The watcher's mu guards it.
type epoll struct {
	fd    int
	file  *os.File              // fd, which package os waits for
	conns map[int32]*PacketConn // by the control connection's descriptor, which is not closed while it is here
}

// add has p watched. It reports false if p must do that itself: its connections are not plain sockets, or there are
// no descriptors left.
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

// plainSocket returns access to a connection that is a socket of this machine with nothing before it, or nil.
func plainSocket(c net.Conn) syscall.RawConn {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		raw, _ := c.(syscall.Conn).SyscallConn() // fails for nil pointers alone
		return raw
	}
	return nil
}

// newEpoll returns nil if there can be none.
func newEpoll() *epoll {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	_ = unix.SetNonblock(fd, true) // so that package os waits for it as for a socket
	file := os.NewFile(uintptr(fd), "epoll")
	if file.SetReadDeadline(time.Time{}) != nil { // it does not
		file.Close()
		return nil
	}
	return &epoll{fd: fd, file: file, conns: make(map[int32]*PacketConn)}
}

// remove takes p from what is watched, and reports whether it was there. The caller ends p then. The goroutine ends
// with the last.
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

// run ends associations whose control connections end, until e is closed.
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
			if p == nil { // Close was quicker
				continue
			}
			if err := p.listen(); err != nil && w.remove(p) {
				p.end(err)
			}
		}
	}
}

// listen reads what is there from the control connection, without waiting, and returns an error if that has ended.
// It does not trust that something is there: the event may be of a connection that had the same descriptor before.
func (p *PacketConn) listen() error {
	var b [64]byte
	var n int
	var err error
	failed := plainSocket(p.control).Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), b[:])
		return true
	})
	switch {
	case failed != nil:
		return p.heard(0, failed)
	case err == unix.EAGAIN, err == unix.EINTR:
		return nil
	case err != nil:
		local, remote := p.control.LocalAddr(), p.control.RemoteAddr()
		return p.heard(0, &net.OpError{Op: "read", Net: remote.Network(), Source: local, Addr: remote, Err: os.NewSyscallError("read", err)})
	case n == 0:
		return p.heard(0, io.EOF)
	}
	return p.heard(n, nil)
}
