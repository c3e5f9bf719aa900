package socks_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// watching returns how many goroutines watch control connections. An alarm that rings is none of them.
func watching() int {
	return leakcheck.Take().Running("sockslib/socks.(*watcher).", "sockslib/socks.(*PacketConn).")
}

// On Linux one goroutine watches all associations of a Client, and it ends with the last one.
func TestAssociationsShareAGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs epoll")
	}
	for _, way := range []string{"tcp", "unix"} {
		t.Run(way, func(t *testing.T) {
			g := new(testgw.Gateway)
			c := ways[way](t, g)
			for range 2 {
				require.Eventually(t, func() bool { return watching() == 0 }, time.Minute, time.Millisecond)
				var conns []*socks.PacketConn
				for range 20 {
					conns = append(conns, associate(t, c))
				}
				require.Equal(t, 1, watching())
				for _, p := range conns[:10] {
					require.NoError(t, p.Close())
				}
				g.Disconnect()
				for _, p := range conns[10:] {
					_, _, err := p.ReadFrom(make([]byte, 1))
					require.ErrorIs(t, err, net.ErrClosed)
					require.ErrorIs(t, err, socks.ErrGateway)
					require.NoError(t, p.Close())
				}
			}
			require.Eventually(t, func() bool { return watching() == 0 }, time.Minute, time.Millisecond)
		})
	}
}

// The end of the control connection ends the association, for every kind of connection.
func TestControlConnectionEndsAssociationsOfEachKind(t *testing.T) {
	for way, clientOf := range ways {
		t.Run(way, func(t *testing.T) {
			g := new(testgw.Gateway)
			c := clientOf(t, g)
			p, stays := associate(t, c), associate(t, &socks.Client{Addr: testgw.Start(t, new(testgw.Gateway)).Addr().String()})
			g.Disconnect()
			_, _, err := p.ReadFrom(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, err, socks.ErrGateway)
			if way == "tcp" {
				require.ErrorIs(t, err, syscall.ECONNRESET)
			}
			require.NoError(t, stays.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
			_, _, err = stays.ReadFrom(make([]byte, 1))
			require.True(t, err.(net.Error).Timeout(), "%v", err)
		})
	}
}

// A gateway may send some bytes on the control connection; 64 KiB end the association.
func TestTalkativeGatewayEndsTheAssociation(t *testing.T) {
	const most = 1 << 16
	for way, clientOf := range ways {
		for _, said := range []int{0, 1, most - 1, most, 2 * most} {
			t.Run(fmt.Sprint(way, " ", said), func(t *testing.T) {
				relay, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				require.NoError(t, err)
				defer relay.Close()
				reply, err := wire.AppendReply(nil, wire.Succeeded, wire.Addr{IP: loopback4, Port: relay.LocalAddr().(*net.UDPAddr).AddrPort().Port()})
				require.NoError(t, err)
				g := &testgw.Gateway{Misbehave: answering(testgw.StageReply, string(reply)+strings.Repeat("x", said))}
				p := associate(t, clientOf(t, g))
				if said >= most {
					_, _, err = p.ReadFrom(make([]byte, 1))
					require.ErrorIs(t, err, net.ErrClosed)
					require.ErrorIs(t, err, socks.ErrProtocol)
					return
				}
				_, err = p.WriteTo([]byte("x"), &socks.Addr{Net: "udp", Name: "name.example", Port: 9})
				require.NoError(t, err)
				require.NoError(t, relay.SetReadDeadline(time.Now().Add(time.Minute)))
				_, from, err := relay.ReadFrom(make([]byte, 100))
				require.NoError(t, err)
				_, err = relay.WriteTo([]byte(fromSource+"y"), from)
				require.NoError(t, err)
				b := make([]byte, 10)
				n, _, err := p.ReadFrom(b)
				require.NoError(t, err)
				require.Equal(t, "y", string(b[:n]))
				g.Disconnect() // p is still watched
				_, _, err = p.ReadFrom(b)
				require.ErrorIs(t, err, net.ErrClosed)
				require.ErrorIs(t, err, socks.ErrGateway)
			})
		}
	}
}

// A Client closes a control connection on which the gateway does not stop talking. Neither that connection nor the
// relay is a socket.
func TestTalkativeControlConnectionIsClosed(t *testing.T) {
	ended := make(chan struct{})
	c := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(func(_ context.Context, network, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { far.Close() })
		if network == "udp" {
			return near, nil
		}
		go func() { // ends with the connection
			defer close(ended)
			r := wire.NewReader(far)
			r.ReadMethods()
			r.ReadRequest()
			far.Write([]byte("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x35"))
			for err := error(nil); err == nil; {
				_, err = far.Write(make([]byte, 1000))
			}
		}()
		return near, nil
	})}
	p := associate(t, c)
	<-ended
	_, _, err := p.ReadFrom(make([]byte, 10))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, err, socks.ErrProtocol)
}

// Associations begin, are closed, and are ended by the gateway concurrently. Descriptors are reused at once.
func TestAssociationsComeAndGo(t *testing.T) {
	g := new(testgw.Gateway)
	c := clientOf(t, g)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { // ends after its associations
			for n := range 50 {
				p, err := c.ListenPacket(t.Context(), "udp", "")
				if err != nil {
					continue // Disconnect has closed the connection
				}
				if (n+i)%4 == 0 {
					g.Disconnect()
					if _, _, err := p.ReadFrom(make([]byte, 1)); err == nil {
						t.Error("a datagram came")
					}
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, c.Stats().Open)
	p := associate(t, c)
	g.Close()
	_, _, err := p.ReadFrom(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NotErrorIs(t, err, io.EOF)
}

// noticed is a listener that reports when the gateway has closed a connection.
type noticed struct {
	net.Listener
	closed chan struct{}
}

func (l noticed) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &noticedConn{Conn: c, closed: l.closed}, err
}

type noticedConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *noticedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func TestCloseEndsTheAssociation(t *testing.T) {
	l := noticed{listen(t), make(chan struct{})}
	g := new(testgw.Gateway)
	require.NoError(t, g.Serve(l))
	t.Cleanup(g.Close)
	p := associate(t, &socks.Client{Addr: l.Addr().String()})
	reading := make(chan error)
	go func() { // ends with Close
		_, _, err := p.ReadFrom(make([]byte, 1))
		reading <- err
	}()
	require.NoError(t, p.Close())
	require.ErrorIs(t, <-reading, net.ErrClosed)
	<-l.closed // the gateway has noticed the end of the control connection
	_, err := p.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("127.0.0.1:9"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NotErrorIs(t, err, socks.ErrGateway)
	require.ErrorIs(t, p.Close(), net.ErrClosed)
}

// The association ends with the control connection, and its error has the cause.
func TestAssociationEndsWithItsControlConnection(t *testing.T) {
	const sent = 2 + replyLen
	orderly := &testgw.Gateway{Misbehave: func(int) testgw.Fault { return testgw.Fault{End: testgw.FIN, After: sent} }}
	killed := new(testgw.Gateway)
	for g, cause := range map[*testgw.Gateway]error{orderly: io.ErrUnexpectedEOF, killed: syscall.ECONNRESET} {
		conn, err := clientOf(t, g).DialContext(t.Context(), "udp", "127.0.0.1:9")
		require.NoError(t, err)
		defer conn.Close()
		if g == killed {
			g.Close()
		}
		_, err = conn.Read(make([]byte, 1))
		for range 2 {
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, err, socks.ErrGateway)
			require.ErrorIs(t, err, cause)
			_, err = conn.Write([]byte("x"))
		}
		require.NoError(t, conn.Close())
	}
}
