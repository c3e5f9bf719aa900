package socks

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tlsConn is a TLS connection on which a write may time out and be repeated, as on any net.Conn. A
// *tls.Conn alone is of no use after that, since a part of a record may have gone out. Here the rest of it
// is kept, and goes out before anything else. And the stream ends by TLS's own notice alone: a connection
// that is cut is an error. It is safe for concurrent use.
type tlsConn struct {
	*tls.Conn
	records *recordConn
	writing sync.Mutex
	expiry  atomic.Int64 // the write deadline in Unix nanoseconds; zero: none
}

// newTLSConn returns the client's side of a TLS over c.
func newTLSConn(c net.Conn, config *tls.Config) *tlsConn {
	records := &recordConn{Conn: c}
	return &tlsConn{Conn: tls.Client(records, config), records: records}
}

// maxPlaintext is what one record takes, RFC 8446, section 5.1.
const maxPlaintext = 1 << 14

// Write counts what was encrypted as written, although at a timeout the end of it may be yet to go out.
func (c *tlsConn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	var written int
	for {
		if err := c.ready(); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(b[written:min(len(b), written+maxPlaintext)])
		written += n
		if err == nil {
			err = c.records.late()
		}
		if err != nil || written == len(b) {
			return written, err
		}
	}
}

// ready sends what is left of an earlier write. A deadline that has passed is seen before anything of the
// next one is encrypted.
func (c *tlsConn) ready() error {
	if t := c.expiry.Load(); t != 0 && time.Now().UnixNano() >= t {
		return &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.ErrDeadlineExceeded}
	}
	return c.records.flush()
}

func (c *tlsConn) SetDeadline(t time.Time) error {
	c.setExpiry(t)
	return c.Conn.SetDeadline(t)
}

func (c *tlsConn) SetWriteDeadline(t time.Time) error {
	c.setExpiry(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *tlsConn) setExpiry(t time.Time) {
	if t.IsZero() {
		c.expiry.Store(0)
		return
	}
	c.expiry.Store(max(1, t.UnixNano())) // deadlines in the far past are of no other use than now's
}

// CloseWrite ends what is written with TLS's own notice, once everything before it has gone out.
func (c *tlsConn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.ready(); err != nil {
		return err
	}
	if err := c.Conn.CloseWrite(); err != nil {
		return err
	}
	return c.records.late()
}

// Close does not wait for the rest of a record, without which the notice of the end would mean nothing. A
// reset tells that where there is one: between records, some take a FIN for the notice.
func (c *tlsConn) Close() error {
	if c.records.kept.Load() {
		if tcp, ok := c.records.Conn.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0) // a FIN, at worst
		}
		return c.records.Conn.Close()
	}
	return c.Conn.Close()
}

// NetConn returns the connection that TLS protects.
func (c *tlsConn) NetConn() net.Conn { return c.records.Conn }

// recordConn is what a *tls.Conn reads from and writes to. To that, a write never times out.
type recordConn struct {
	net.Conn
	kept    atomic.Bool // rest is not empty
	sending sync.Mutex  // guards the following
	rest    []byte      // what is left of records, to go out first
	timeout error       // why
}

// maxRest bounds what a gateway can make TLS itself answer while nothing can be sent.
const maxRest = 4 * maxPlaintext

// errCut is the end of a connection without TLS's own notice, which whoever is between can bring about. A
// *tls.Conn takes it for the end of the stream when it falls between records (RFC 8446, section 6.1).
var errCut = fmt.Errorf("the connection ended without TLS's notice: %w", io.ErrUnexpectedEOF)

func (c *recordConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == io.EOF {
		err = errCut
	}
	return n, err
}

func (c *recordConn) Write(b []byte) (int, error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	var n int
	err := c.flushLocked()
	if err == nil {
		n, err = c.Conn.Write(b)
		if inProgress(err) {
			n, err = c.Conn.Write(b)
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || len(c.rest)+len(b)-n > maxRest {
		return n, err
	}
	c.keep(append(c.rest, b[n:]...), err)
	return len(b), nil
}

func (c *recordConn) flush() error {
	if !c.kept.Load() {
		return nil
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.flushLocked()
}

func (c *recordConn) flushLocked() error {
	if len(c.rest) == 0 {
		return nil
	}
	n, err := c.Conn.Write(c.rest)
	c.keep(c.rest[n:], err)
	return err
}

func (c *recordConn) keep(rest []byte, err error) {
	c.rest, c.timeout = rest, err
	if len(rest) == 0 {
		c.rest = nil
	}
	c.kept.Store(len(rest) > 0)
}

// late is the error of the write whose end is yet to go out.
func (c *recordConn) late() error {
	if !c.kept.Load() {
		return nil
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if len(c.rest) == 0 {
		return nil
	}
	return c.timeout
}
