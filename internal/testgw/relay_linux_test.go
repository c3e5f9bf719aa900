package testgw

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// deaf is a connection to a destination that resets it. Its Write waits for the reset, gets its error, and returns
// only after a later Read has returned EOF.
type deaf struct {
	net.Conn // hides ReadFrom and WriteTo, which would bypass the methods below
	once     sync.Once
	failed   chan struct{} // a write has failed
	ended    chan struct{} // a later read has returned
}

func (d *deaf) NetConn() net.Conn { return d.Conn }

func (d *deaf) Read(b []byte) (int, error) {
	<-d.failed
	n, err := d.Conn.Read(b)
	if err != nil {
		d.once.Do(func() { close(d.ended) })
	}
	return n, err
}

func (d *deaf) Write(b []byte) (int, error) {
	for {
		if _, err := d.Conn.Write(b); err != nil {
			close(d.failed)
			<-d.ended
			return 0, err
		}
	}
}

// If a write gets the error of a reset, the read in the other goroutine returns EOF. The relay still passes on a
// reset.
func TestResetToldToAWrite(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return &deaf{Conn: c, failed: make(chan struct{}), ended: make(chan struct{})}, err
	}})
	c := dialRaw(t, g)
	c.send(noAuth + connectTo(at(to)))
	destination := accept(t, l)
	c.expect("\x05\x00")
	c.expectReply()
	abort(destination.Conn)
	c.send("x")
	c.expectReset("")
}

// All bytes that the destination sends before it ends its stream arrive, even if it then resets the connection.
func TestEndBeforeAResetIsPassedOnAsEOF(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, new(Gateway))
	c := dialRaw(t, g)
	c.send(noAuth + connectTo(at(to)))
	destination := accept(t, l)
	c.expect("\x05\x00")
	c.expectReply()
	destination.send("all")
	require.NoError(t, destination.Conn.(*net.TCPConn).CloseWrite())
	c.expectEnd("all")
	abort(destination.Conn)
	c.send("x") // the gateway's write gets the reset, and passes it on
}
