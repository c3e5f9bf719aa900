package socks_test

// This file has gateways in memory. Tests with testing/synctest need them, because time in a bubble does not advance
// while a goroutine waits for a socket.

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// gateway is a Forward to a gateway in memory, which calls answer for each request, with the number of the
// connection, counted from 0. The connection ends when answer returns.
type gateway struct {
	admit    func(r *wire.Reader, c net.Conn) bool // authenticates a client; nil: without authentication
	answer   func(conn int, c net.Conn)
	requests atomic.Int64
	conns    atomic.Int64 // all connections
	open     atomic.Int64 // connections that have not ended

	mu  sync.Mutex
	far []net.Conn // the gateway's ends of the connections since the last hangUp
}

func (g *gateway) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	n := int(g.conns.Add(1)) - 1
	g.open.Add(1)
	g.mu.Lock()
	g.far = append(g.far, far)
	g.mu.Unlock()
	go func() { // ends with answer, or with the connection
		defer g.open.Add(-1)
		defer far.Close()
		r := wire.NewReader(bufio.NewReader(far)) // a pipe has no buffer, and messages may come together
		admit := g.admit
		if admit == nil {
			admit = admitsAll
		}
		if !admit(r, far) {
			return
		}
		if _, _, err := r.ReadRequest(); err != nil {
			return
		}
		g.requests.Add(1)
		g.answer(n, far)
	}()
	return near, nil
}

// admitsAll chooses no authentication.
func admitsAll(r *wire.Reader, c net.Conn) bool {
	_, err := r.ReadMethods()
	if err == nil {
		c.Write([]byte{wire.Version, wire.MethodNone})
	}
	return err == nil
}

// hangUp closes all connections.
func (g *gateway) hangUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.far {
		c.Close()
	}
	g.far = nil
}

// grants sends a grant and echoes the stream.
func grants(_ int, c net.Conn) {
	c.Write([]byte{wire.Version, wire.Succeeded, 0, 1, 127, 0, 0, 1, 0, 9})
	io.Copy(c, c)
}

// refuses sends the reply "connection refused".
func refuses(_ int, c net.Conn) {
	c.Write([]byte{wire.Version, byte(socks.ErrConnectionRefused), 0, 1, 0, 0, 0, 0, 0, 0})
}

// hangsUp closes the connection without a reply.
func hangsUp(int, net.Conn) {}

// slowly hangs up after 20 ms.
func slowly(int, net.Conn) { time.Sleep(20 * time.Millisecond) }

// babbles answers with bytes that are not a reply.
func babbles(_ int, c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }

// freezes sends no reply, and keeps the connection open.
func freezes(_ int, c net.Conn) { io.Copy(io.Discard, c) }

// silentAfter is a Forward to a gateway in memory that grants all requests, and falls silent after the given
// number of bytes of SOCKS. The gateway has TLS unless server is nil.
func silentAfter(after int, method byte, server *tls.Config) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { // ends when the client closes its side
			defer far.Close()
			var c net.Conn = far
			if server != nil {
				c = tls.Server(far, server)
			}
			c = &muteConn{Conn: c, left: after, sent: new(atomic.Int64)}
			r := wire.NewReader(bufio.NewReader(c)) // a pipe has no buffer, and messages may come together
			r.ReadMethods()
			c.Write([]byte{wire.Version, method})
			if method == wire.MethodUserPass {
				r.ReadUserPass()
				c.Write([]byte{1, wire.StatusSuccess})
			}
			r.ReadRequest()
			c.Write([]byte{wire.Version, wire.Succeeded, 0, 1, 127, 0, 0, 1, 0, 9})
			io.Copy(io.Discard, c)
		}()
		return near, nil
	}
}

// muteConn discards bytes that are written after a given number of bytes. One goroutine at a time writes.
type muteConn struct {
	net.Conn
	left int
	sent *atomic.Int64
	mute chan struct{} // receives once, when the connection falls silent
}

func (c *muteConn) Write(b []byte) (int, error) {
	heard := b[:min(len(b), c.left)]
	if len(heard) > 0 {
		if n, err := c.Conn.Write(heard); err != nil {
			return n, err
		}
		c.left -= len(heard)
		c.sent.Add(int64(len(heard)))
	}
	if len(heard) < len(b) {
		select {
		case c.mute <- struct{}{}:
		default:
		}
	}
	return len(b), nil
}

// CloseWrite does nothing after the connection has fallen silent.
func (c *muteConn) CloseWrite() error { return nil }

// saying is a Forward to a gateway in memory that ignores all that it reads, sends the given bytes, and hangs up.
func saying(piece []byte) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far) // ends with the connection
		go func() {                 // ends when all is sent, or the connection is closed
			far.Write(piece)
			far.Close()
		}()
		return near, nil
	}
}

// afterGreeting is a Forward to a gateway in memory that calls do instead of choosing a method.
func afterGreeting(do func(c net.Conn)) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { // ends with do
			defer far.Close()
			in := bufio.NewReader(far) // a pipe has no buffer, and messages may come together
			wire.NewReader(in).ReadMethods()
			do(far)
			io.Copy(io.Discard, in)
		}()
		return near, nil
	}
}

// cannotDial is a Forward that fails.
func cannotDial(err error) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}

// chooses is a Forward to a gateway in memory that chooses the given method, and grants the request on the
// connection that negotiate returns.
func chooses(method byte, negotiate func(net.Conn) net.Conn) dialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { // ends with the connection
			defer far.Close()
			wire.NewReader(far).ReadMethods()
			far.Write([]byte{wire.Version, method})
			c := negotiate(far)
			wire.NewReader(c).ReadRequest()
			c.Write([]byte("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"))
			io.Copy(c, c)
		}()
		return near, nil
	}
}

// withoutDeadlines is a connection whose deadlines fail, as in golang.org/x/crypto/ssh, or have no effect.
type withoutDeadlines struct {
	net.Conn
	err error
}

func (c withoutDeadlines) SetDeadline(time.Time) error      { return c.err }
func (c withoutDeadlines) SetReadDeadline(time.Time) error  { return c.err }
func (c withoutDeadlines) SetWriteDeadline(time.Time) error { return c.err }
