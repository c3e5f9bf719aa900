// Package netconn wraps a connection without hiding what it can do.
package netconn

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Conn is a net.Conn that hands on what io.Copy and package net look for beyond that interface, so
// that splice, sendfile and half-close survive a layer. Embed it.
type Conn struct{ net.Conn }

// ReadFrom copies from r until it ends, by the wrapped connection's ReadFrom where it has one.
func (c Conn) ReadFrom(r io.Reader) (int64, error) {
	if dst, ok := c.Conn.(io.ReaderFrom); ok {
		return dst.ReadFrom(r)
	}
	return io.Copy(c.Conn, r)
}

// WriteTo copies to w until the connection ends, by the wrapped connection's WriteTo where it has one.
func (c Conn) WriteTo(w io.Writer) (int64, error) {
	if src, ok := c.Conn.(io.WriterTo); ok {
		return src.WriteTo(w)
	}
	return io.Copy(w, c.Conn)
}

// CloseRead shuts down the reading side. A TLS connection has none to shut down: errors.ErrUnsupported.
func (c Conn) CloseRead() error {
	if half, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return half.CloseRead()
	}
	return c.unsupported("close read")
}

// CloseWrite shuts down the writing side; the peer reads an EOF and may go on to write.
func (c Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.unsupported("close write")
}

// SyscallConn gives access to the socket.
func (c Conn) SyscallConn() (syscall.RawConn, error) {
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return nil, c.unsupported("raw")
}

func (c Conn) unsupported(op string) error {
	local := c.Conn.LocalAddr()
	return &net.OpError{Op: op, Net: local.Network(), Source: local, Addr: c.Conn.RemoteAddr(), Err: errors.ErrUnsupported}
}
