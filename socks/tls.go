package socks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// secure runs TLS over the transport.
func (h *handshake) secure(ctx context.Context) error {
	config := h.client.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		host, _, err := net.SplitHostPort(h.client.Addr)
		if err != nil {
			return gatewayFailed("TLS", errors.New("a ServerName is needed for a unix socket"))
		}
		config = config.Clone()
		config.ServerName = host
	}
	below := &patientConn{Conn: h.raw}
	conn := tls.Client(below, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return gatewayFailed("TLS", err)
	}
	h.conn = &tlsConn{Conn: conn, below: below}
	return nil
}

// tlsConn is a *tls.Conn that can still be written to after a write deadline has passed, as any other
// net.Conn can. crypto/tls gives a connection up then, because a record may have gone out in part.
type tlsConn struct {
	*tls.Conn
	below   *patientConn
	writing sync.Mutex // held by a Write, over all its records
}

// maxRecord is the most that one TLS record carries, RFC 8446, section 5.1.
const maxRecord = 1 << 14

// Write counts a record as written that the deadline cut short: its rest goes out before the next.
func (c *tlsConn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		if err := c.below.flush(); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[n:min(len(b), n+maxRecord)])
		n += m
		if err == nil {
			err = c.below.late()
		}
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// CloseWrite sends what a deadline kept back, and close_notify.
func (c *tlsConn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.below.flush(); err != nil {
		return err
	}
	return c.Conn.CloseWrite()
}

// patientConn keeps what a deadline kept from being written, and tells its TLS that it was.
type patientConn struct {
	net.Conn
	by atomic.Pointer[time.Time] // the write deadline; nil: none

	mu      sync.Mutex
	kept    []byte
	timeout error // of the write that kept something
}

func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline takes effect on the write that waits, so it must not wait for that.
func (c *patientConn) SetWriteDeadline(t time.Time) error {
	c.by.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *patientConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) > 0 { // an alert or a key update, from a Read
		c.kept = append(c.kept, b...)
		return len(b), nil
	}
	n, err := c.Conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.kept, c.timeout, err = append(c.kept, b[n:]...), err, nil
	}
	if err == nil {
		n = len(b)
	}
	return n, err
}

// flush writes what was kept. After the deadline it fails also when nothing was.
func (c *patientConn) flush() error {
	if by := c.by.Load(); by != nil && !by.IsZero() && !time.Now().Before(*by) {
		return os.ErrDeadlineExceeded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) == 0 {
		return nil
	}
	n, err := c.Conn.Write(c.kept)
	if c.kept = c.kept[n:]; len(c.kept) == 0 {
		c.kept = nil
	}
	return err
}

// late returns the deadline's error when the last write kept something.
func (c *patientConn) late() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.timeout
	c.timeout = nil
	return err
}
