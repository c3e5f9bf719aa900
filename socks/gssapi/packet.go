package gssapi

import (
	"errors"
	"net"
	"sync"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// relayConn is a socket to a relay, whose datagrams are messages (RFC 1961, section 5). It is safe for concurrent
// use.
type relayConn struct {
	net.Conn
	context *krb5.Context
	sealed  bool

	writing sync.Mutex // held from Wrap to Write, so that a delayed goroutine does not fall out of the receiver's window
	reading sync.Mutex // held from Read to Unwrap, for the same reason; guards seen
	seen    window
}

// ProtectRelay returns a connection that protects the datagrams of the association whose control connection is c.
// See [socks.Auth].
func (c *conn) ProtectRelay(relay net.Conn) net.Conn {
	return &relayConn{Conn: relay, context: c.context, sealed: c.sealed, seen: window{top: c.context.Next() - 1, seen: ^uint64(0)}}
}

// datagrams has buffers for the longest datagram.
var datagrams = sync.Pool{New: func() any { return new([1 << 16]byte) }}

// Write sends a SOCKS datagram. The error is syscall.EMSGSIZE if it is too long.
func (c *relayConn) Write(b []byte) (int, error) {
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	c.writing.Lock()
	defer c.writing.Unlock()
	msg, err := sealMessage(c.context, buf[:0], b, c.sealed)
	if err == nil {
		_, err = c.Conn.Write(msg)
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read reads a SOCKS datagram. It returns 0 bytes for a forged, damaged or repeated datagram, which the caller's
// parser drops and counts as malformed.
func (c *relayConn) Read(b []byte) (int, error) {
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.Conn.Read(buf[:])
	if err != nil {
		return 0, err
	}
	return copy(b, c.unwrap(buf[:n])), nil
}

// unwrap returns the content of a message, or nil if the message is invalid or repeated.
func (c *relayConn) unwrap(msg []byte) []byte {
	token, need, err := splitMessage(msg, msgData)
	if err != nil || token == nil || need != len(msg) {
		return nil
	}
	plain, seq, err := c.context.Unwrap(token, c.sealed)
	if err != nil || !c.seen.add(seq) {
		return nil
	}
	return plain
}

// SetReadBuffer sets the size of the operating system's receive buffer.
func (c *relayConn) SetReadBuffer(bytes int) error {
	if s, ok := c.Conn.(interface{ SetReadBuffer(int) error }); ok {
		return s.SetReadBuffer(bytes)
	}
	return errors.ErrUnsupported
}

// SetWriteBuffer sets the size of the operating system's transmit buffer.
func (c *relayConn) SetWriteBuffer(bytes int) error {
	if s, ok := c.Conn.(interface{ SetWriteBuffer(int) error }); ok {
		return s.SetWriteBuffer(bytes)
	}
	return errors.ErrUnsupported
}

// window records the sequence numbers that were received. Datagrams may be reordered, so each of the 64 numbers up
// to the greatest is accepted once. Lower numbers are not accepted.
type window struct {
	top  uint64 // the greatest number received
	seen uint64 // bit n: top-n was received
}

// add records seq, and reports whether it is accepted.
func (w *window) add(seq uint64) bool {
	ahead := int64(seq - w.top)
	switch {
	case ahead >= 64:
		w.top, w.seen = seq, 1
	case ahead > 0:
		w.top, w.seen = seq, w.seen<<ahead|1
	case ahead <= -64 || w.seen>>-ahead&1 == 1:
		return false
	default:
		w.seen |= 1 << -ahead
	}
	return true
}
