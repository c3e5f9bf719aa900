package resolver

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"sync"
	"time"
)

// memConn is a connection to a DNS server that is a function: Write returns when what it was given has been
// answered, and Read gives the answer. Read fails with a timeout if no answer is there, because none can arrive.
// It is safe for concurrent use.
type memConn struct {
	ctx    context.Context // of the exchange that the connection was made for; it bounds all of it
	reply  func(ctx context.Context, query []byte) []byte
	stream bool // messages have their length before them (RFC 1035, section 4.2.2)

	mu       sync.Mutex
	in       []byte   // of a stream, what is no whole query yet
	answers  [][]byte // one an answer, with its length if stream
	deadline time.Time
	closed   bool
}

// memPacketConn makes package net write datagrams: it looks for a PacketConn.
type memPacketConn struct{ *memConn }

// memAddr is both ends of a memConn.
type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return "resolver" }

func (c *memConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return 0, c.opError("write", err)
	}
	if !c.stream {
		c.answer(b)
	} else {
		c.in = append(c.in, b...)
		for len(c.in) >= 2 {
			end := 2 + int(binary.BigEndian.Uint16(c.in))
			if len(c.in) < end {
				break
			}
			c.answer(c.in[2:end])
			c.in = c.in[end:]
		}
	}
	if err := c.ctx.Err(); err != nil { // what was answered then is that there was no time
		return 0, c.opError("write", err)
	}
	return len(b), nil
}

func (c *memConn) answer(query []byte) {
	answer := c.reply(c.ctx, query)
	if answer == nil {
		return
	}
	if c.stream {
		answer = frame(answer)
	}
	c.answers = append(c.answers, answer)
}

func (c *memConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.usable()
	if err == nil && len(c.answers) == 0 {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		return 0, c.opError("read", err)
	}
	n := copy(b, c.answers[0])
	if c.stream && n < len(c.answers[0]) {
		c.answers[0] = c.answers[0][n:]
	} else {
		c.answers = c.answers[1:] // what a short buffer cuts off a datagram is lost
	}
	return n, nil
}

// usable reports why a call must fail. The caller holds mu.
func (c *memConn) usable() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

func (c *memConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: memAddr{}.Network(), Source: memAddr{}, Addr: memAddr{}, Err: err}
}

func (c *memConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	return nil
}

func (c *memConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

func (c *memConn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *memConn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }
func (c *memConn) LocalAddr() net.Addr                { return memAddr{} }
func (c *memConn) RemoteAddr() net.Addr               { return memAddr{} }

func (c memPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	return n, memAddr{}, err
}

func (c memPacketConn) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

var (
	_ net.Conn       = (*memConn)(nil)
	_ net.PacketConn = memPacketConn{}
)
