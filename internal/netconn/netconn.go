// Package netconn wraps a connection without hiding its methods.
package netconn

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// Conn is a net.Conn that forwards the methods beyond that interface that io.Copy and package net look for, so
// that splice, sendfile, half-close and socket options work through a layer. A method that the wrapped connection
// lacks fails with [errors.ErrUnsupported], except ReadFrom and WriteTo, which copy.
type Conn struct{ net.Conn }

// ReadFrom copies from r until EOF, by the wrapped connection's ReadFrom if it has one.
func (c Conn) ReadFrom(r io.Reader) (int64, error) {
	if dst, ok := c.Conn.(io.ReaderFrom); ok {
		return dst.ReadFrom(r)
	}
	return io.Copy(c.Conn, r)
}

// WriteTo copies to w until EOF, by the wrapped connection's WriteTo if it has one.
func (c Conn) WriteTo(w io.Writer) (int64, error) {
	if src, ok := c.Conn.(io.WriterTo); ok {
		return src.WriteTo(w)
	}
	return io.Copy(w, c.Conn)
}

// CloseRead shuts down the reading side.
func (c Conn) CloseRead() error {
	if half, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return half.CloseRead()
	}
	return c.unsupported("close")
}

// CloseWrite shuts down the writing side. The peer reads EOF and can go on writing.
func (c Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.unsupported("close")
}

// SyscallConn returns access to the wrapped connection's socket. It fails for a connection that encrypts, because
// that has no SyscallConn.
func (c Conn) SyscallConn() (syscall.RawConn, error) {
	if socket, ok := c.Conn.(syscall.Conn); ok {
		raw, err := socket.SyscallConn()
		if err != nil {
			return nil, err
		}
		return rawConn{raw}, nil
	}
	return nil, c.unsupported("raw")
}

// rawConn hides the methods by which an *os.File finds the socket and sends its data there, without the layer's
// ReadFrom. ReadFrom uses sendfile too.
type rawConn struct{ syscall.RawConn }

// SetKeepAlive sets whether the operating system sends keep-alive probes.
func (c Conn) SetKeepAlive(keepalive bool) error {
	if o, ok := socket[interface{ SetKeepAlive(bool) error }](c.Conn); ok {
		return o.SetKeepAlive(keepalive)
	}
	return c.unsupported("set")
}

// SetKeepAlivePeriod sets the idle time before the first keep-alive probe and between probes.
func (c Conn) SetKeepAlivePeriod(d time.Duration) error {
	if o, ok := socket[interface{ SetKeepAlivePeriod(time.Duration) error }](c.Conn); ok {
		return o.SetKeepAlivePeriod(d)
	}
	return c.unsupported("set")
}

// SetKeepAliveConfig configures keep-alive probes.
func (c Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	if o, ok := socket[interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}](c.Conn); ok {
		return o.SetKeepAliveConfig(config)
	}
	return c.unsupported("set")
}

// SetNoDelay sets whether small packets are sent at once.
func (c Conn) SetNoDelay(noDelay bool) error {
	if o, ok := socket[interface{ SetNoDelay(bool) error }](c.Conn); ok {
		return o.SetNoDelay(noDelay)
	}
	return c.unsupported("set")
}

// SetLinger sets what Close does with unacknowledged data, as in *net.TCPConn.
func (c Conn) SetLinger(sec int) error {
	if o, ok := socket[interface{ SetLinger(int) error }](c.Conn); ok {
		return o.SetLinger(sec)
	}
	return c.unsupported("set")
}

// SetReadBuffer sets the size, in bytes, of the operating system's receive buffer.
func (c Conn) SetReadBuffer(bytes int) error {
	if o, ok := socket[interface{ SetReadBuffer(int) error }](c.Conn); ok {
		return o.SetReadBuffer(bytes)
	}
	return c.unsupported("set")
}

// SetWriteBuffer sets the size, in bytes, of the operating system's transmit buffer.
func (c Conn) SetWriteBuffer(bytes int) error {
	if o, ok := socket[interface{ SetWriteBuffer(int) error }](c.Conn); ok {
		return o.SetWriteBuffer(bytes)
	}
	return c.unsupported("set")
}

// socket returns the outermost connection, of c and the connections that it wraps, that has the option T. A layer
// such as TLS changes the socket's bytes, but not its options.
func socket[T any](c net.Conn) (option T, ok bool) {
	for c != nil {
		if option, ok = c.(T); ok {
			return option, true
		}
		layer, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = layer.NetConn()
	}
	return option, false
}

// unsupported returns ErrUnsupported as the error of op.
func (c Conn) unsupported(op string) error {
	err := &net.OpError{Op: op, Source: c.Conn.LocalAddr(), Addr: c.Conn.RemoteAddr(), Err: errors.ErrUnsupported}
	if err.Source != nil {
		err.Net = err.Source.Network()
	}
	return err
}
