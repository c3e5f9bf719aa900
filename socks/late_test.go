package socks_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// lateConn cancels its context when the last byte of the reply has arrived, and returns that byte after the end of
// the context has closed the connection.
type lateConn struct {
	net.Conn
	left   int // number of bytes until then
	end    func()
	once   sync.Once
	closed chan struct{}
}

func (c *lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.left -= n; c.left == 0 {
		c.end()
		<-c.closed
	}
	return n, err
}

func (c *lateConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A context that ends while the reply arrives has closed the connection. That is not a success, for any command,
// handshake or spare.
func TestContextEndsWithTheReply(t *testing.T) {
	const method, reply = 2, replyLen
	for command, request := range commands {
		for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
			for _, spare := range []int{0, 1} {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					g := &gateway{answer: grants}
					var conns atomic.Int64
					c := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Spare: spare}
					c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := g.DialContext(ctx, network, address)
						if conns.Add(1) > int64(spare) { // with a spare, the first connection is made by the previous dial
							conn = &lateConn{Conn: conn, left: method + reply, end: cancel, closed: make(chan struct{})}
						}
						return conn, err
					})
					if spare > 0 {
						conn, err := c.Dial("tcp", "x.example:80")
						require.NoError(t, err)
						require.NoError(t, conn.Close())
						synctest.Wait()
					}
					require.ErrorIs(t, request(ctx, c), context.Canceled, "%s, handshake %d, Spare %d", command, handshake, spare)
					require.EqualValues(t, spare, c.Stats().SpareHits)
					require.NoError(t, c.Close())
					synctest.Wait()
					require.Zero(t, g.open.Load())
				})
			}
		}
	}
}
