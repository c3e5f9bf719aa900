package resolver

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"sync"
	"time"
)

// memConn is a net.Conn to a DNS server that is a function. Write calls the function and buffers the response; Read
// returns it. Read fails with a timeout if no response is buffered, because none can arrive. A memConn is safe for
// concurrent use.
type memConn struct {
	// ctx is the context of the lookup that the connection was dialed for. When it ends, Read and Write fail.
	ctx context.Context
	// respond returns the response to a query; nil: none.
	respond func(ctx context.Context, query []byte) []byte
	stream  bool // each message is preceded by its length (RFC 1035, section 4.2.2)

	mu        sync.Mutex
	in        []byte   // of a stream: the beginning of an incomplete query
	responses [][]byte // not read yet; of a stream: each with its length
	deadline  time.Time
	closed    bool
}

// memPacketConn is a memConn for datagrams. Package net recognizes such a connection by the methods of net.PacketConn.
type memPacketConn struct{ *memConn }

// memAddr is the address of both ends of a memConn.
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
		c.handle(b)
	} else {
		c.in = append(c.in, b...)
		for len(c.in) >= 2 {
			end := 2 + int(binary.BigEndian.Uint16(c.in))
			if len(c.in) < end {
				break
			}
			c.handle(c.in[2:end])
			c.in = c.in[end:]
		}
	}
	if err := c.ctx.Err(); err != nil { // the response is then an error that says so
		return 0, c.opError("write", err)
	}
	return len(b), nil
}

// handle buffers the response to a query. The caller holds mu.
func (c *memConn) handle(query []byte) {
	response := c.respond(c.ctx, query)
	if response == nil {
		return
	}
	if c.stream {
		response = frame(response)
	}
	c.responses = append(c.responses, response)
}

func (c *memConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.usable()
	if err == nil && len(c.responses) == 0 {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		return 0, c.opError("read", err)
	}
	n := copy(b, c.responses[0])
	if c.stream && n < len(c.responses[0]) {
		c.responses[0] = c.responses[0][n:]
	} else {
		c.responses = c.responses[1:] // the rest of a datagram is lost, as with a socket
	}
	return n, nil
}

// usable returns an error if the connection is closed, its context has ended, or its deadline has passed. The caller holds
// mu.
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

// opError wraps an error as package net does.
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
