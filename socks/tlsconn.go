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

// tlsConn is a TLS connection on which a write can be repeated after a timeout, as on any net.Conn. A *tls.Conn
// does not allow that, because a part of a record may have been sent. A tlsConn keeps the rest of the record and
// sends it first. A read returns io.EOF only after TLS's close_notify; the end of the TCP connection without it is
// an error. It is safe for concurrent use.
type tlsConn struct {
	*tls.Conn
	records *recordConn
	writing sync.Mutex // held during Write and CloseWrite
	writeBy deadline   // the write deadline
}

// newTLSConn returns the client side of a TLS connection over c.
func newTLSConn(c net.Conn, config *tls.Config) *tlsConn {
	records := &recordConn{Conn: c}
	return &tlsConn{Conn: tls.Client(records, config), records: records}
}

// maxPlaintext is the most plaintext bytes of one record (RFC 8446, section 5.1).
const maxPlaintext = 1 << 14

// Write writes b. After a timeout, the returned count has all bytes that were encrypted, although the last of them
// may not have been sent yet.
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

// ready sends the rest of an earlier write. It returns an error if the write deadline has passed, so that nothing
// of the next write is encrypted.
func (c *tlsConn) ready() error {
	if c.writeBy.passed() {
		return &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.ErrDeadlineExceeded}
	}
	return c.records.flush()
}

func (c *tlsConn) SetDeadline(t time.Time) error {
	c.writeBy.set(t)
	return c.Conn.SetDeadline(t)
}

func (c *tlsConn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite sends TLS's close_notify, after the rest of an earlier write.
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

// Close closes the connection. If a part of a record was not sent, Close neither sends it nor a close_notify, and
// resets the TCP connection: some peers take a FIN between records for the close_notify.
func (c *tlsConn) Close() error {
	if c.records.kept.Load() {
		if tcp, ok := c.records.Conn.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0) // if that fails, Close sends a FIN
		}
		return c.records.Conn.Close()
	}
	return c.Conn.Close()
}

// NetConn returns the connection that TLS protects.
func (c *tlsConn) NetConn() net.Conn { return c.records.Conn }

// recordConn is the transport of a *tls.Conn. Its Write keeps what it could not send before a timeout and returns no
// error, because a *tls.Conn fails for good after a timeout.
type recordConn struct {
	net.Conn
	kept    atomic.Bool // rest is not empty
	sending sync.Mutex  // guards rest and timeout
	rest    []byte      // unsent bytes of records, to be sent first
	timeout error       // error of the write that left rest
}

// maxRest bounds rest: a gateway can make TLS itself write answers while nothing can be sent.
const maxRest = 4 * maxPlaintext

// errCut is the error for the end of the TCP connection without close_notify, which an attacker on the network can
// cause. A *tls.Conn returns io.EOF for it between records (RFC 8446, section 6.1).
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

// late returns the error of the write whose rest is not sent yet, or nil.
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
