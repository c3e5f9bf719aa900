package socks_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/pod"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

const fastOpenTask = "fast open"

func init() {
	tasks[fastOpenTask] = func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0); err != nil {
			return fmt.Errorf("skip: needs to switch TCP Fast Open on: %w", err)
		}
		var err error
		if network, err = newReflector(); err != nil {
			return fmt.Errorf("skip: needs a TUN device: %w", err)
		}
		defer network.close()
		if err = flag.Set("test.run", "^TestFastOpen$"); err != nil {
			return err
		}
		before := leakcheck.Take()
		if running.Run() != 0 {
			return errors.New("failed")
		}
		if left := before.Left(5 * time.Second); left != "" {
			return errors.New("left behind: " + left)
		}
		return nil
	}
}

// network is the reflector of the namespace, nil outside of it.
var network *reflector

// TestFastOpen runs in its own network namespace, whose system accepts data in a SYN.
func TestFastOpen(t *testing.T) {
	if network == nil {
		_, err := need.Program("ip", "iproute2")
		need.All(t, err)
		pod.Run(t, fastOpenTask, "")
		return
	}
	warm(t)
	t.Run("saves the round trip of connecting", testFastOpenDials)
	t.Run("is off for others", testFastOpenIsOff)
	t.Run("a gateway that does not take the data", testFastOpenNotTaken)
	t.Run("a gateway that refuses to connect", testFastOpenRefused)
	t.Run("a gateway that does not answer", testFastOpenUnanswered)
	t.Run("a network that loses SYNs with data", testFastOpenLost)
	t.Run("a cookie that is lost meanwhile", testFastOpenForgotten)
	t.Run("silence is the gateway's only once it is connected", testFastOpenSilence)
	t.Run("features", testFastOpenFeatures)
}

// fastGateway starts g on a listener that accepts data in a SYN, and returns its address at the far side.
func fastGateway(t *testing.T, g *testgw.Gateway) string {
	return atFar(t, fastGatewayAt(t, g, nearIP))
}

// atFar returns the far address of a listener at nearIP.
func atFar(t *testing.T, addr net.Addr) string {
	_, port, err := net.SplitHostPort(addr.String())
	require.NoError(t, err)
	return net.JoinHostPort(farIP, port)
}

func fastGatewayAt(t *testing.T, g *testgw.Gateway, ip string) net.Addr {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 64)
		}), err)
	}}
	l, err := config.Listen(t.Context(), "tcp", net.JoinHostPort(ip, "0"))
	require.NoError(t, err)
	served := make(chan struct{})
	go func() { // owned by the test, which waits for served; ends with g
		defer close(served)
		_ = g.Serve(l)
	}()
	t.Cleanup(func() { g.Close(); l.Close(); <-served })
	return l.Addr()
}

// warm makes the system get the cookie of farIP.
func warm(t *testing.T) {
	addr := fastGateway(t, &testgw.Gateway{Dial: toSilence})
	c := &socks.Client{Addr: addr, FastOpen: true}
	conn := dialed(t, c)
	require.False(t, inSYN(t, conn), "without a cookie")
	conn = dialed(t, c)
	require.True(t, inSYN(t, conn))
}

func dialed(t *testing.T, c *socks.Client) *socks.Conn {
	conn, err := c.Dial("tcp", "name.example:80")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn.(*socks.Conn)
}

// certifiedByName returns a TLS config with a certificate that does not have the gateway's address.
func certifiedByName() (server, client *tls.Config) {
	server, client = certified()
	client = client.Clone()
	client.ServerName = "example.com"
	return server, client
}

// inSYN reports whether the other side's system accepted data in the SYN of a connection.
func inSYN(t *testing.T, c *socks.Conn) (acked bool) {
	conn := c.NetConn()
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		acked = err == nil && info.Options&0x20 != 0
	}))
	return acked
}

func testFastOpenDials(t *testing.T) {
	userPass := socks.UserPass("user", "hunter2")
	server, client := certifiedByName()
	for what, c := range map[string]*socks.Client{
		"auto":                   {},
		"pipelined":              {Handshake: socks.HandshakePipelined},
		"stepwise":               {Handshake: socks.HandshakeStepwise},
		"password":               {Auth: []socks.Auth{userPass}},
		"password, stepwise":     {Auth: []socks.Auth{userPass, socks.NoAuth}, Handshake: socks.HandshakeStepwise},
		"TLS":                    {TLS: client},
		"no bound, no deadline":  {Timeout: -1},
		"its own bound":          {Timeout: time.Minute},
		"the second of a Client": {},
	} {
		t.Run(what, func(t *testing.T) {
			g := &testgw.Gateway{Dial: echoing, Users: map[string]string{"user": "hunter2"}, Optional: true}
			if c.TLS != nil {
				g.TLS = server
			}
			c.Addr = fastGateway(t, g)
			c.FastOpen = true
			var events []string
			c.Trace = &socks.Trace{
				GatewayConnected: func(gateway net.Addr, took time.Duration, err error) {
					events = append(events, "connected "+gateway.String())
					require.NoError(t, err)
					require.Positive(t, took)
				},
				Replied: func(string, *socks.Addr, *socks.Addr, error) { events = append(events, "replied") },
			}
			for range 2 {
				conn := dialed(t, c)
				require.True(t, inSYN(t, conn))
				require.Equal(t, c.Addr, conn.NetConn().RemoteAddr().String())
				require.Equal(t, "name.example:80", conn.RemoteAddr().String())
				_, err := conn.Write([]byte("hello"))
				require.NoError(t, err)
				b := make([]byte, 5)
				_, err = io.ReadFull(conn, b)
				require.NoError(t, err)
				require.Equal(t, "hello", string(b))
				require.NoError(t, conn.CloseWrite())
			}
			connected := "connected " + c.Addr
			require.Equal(t, []string{connected, "replied", connected, "replied"}, events)
			require.Len(t, g.Requests(), 2)
		})
	}
}

func testFastOpenIsOff(t *testing.T) {
	addr := fastGateway(t, &testgw.Gateway{Dial: toSilence})
	require.False(t, inSYN(t, dialed(t, &socks.Client{Addr: addr})))
	require.False(t, inSYN(t, dialed(t, &socks.Client{Addr: addr, FastOpen: true, Forward: new(net.Dialer)})), "a Forward")

	local := fastGatewayAt(t, &testgw.Gateway{Dial: toSilence}, "127.0.0.1").(*net.TCPAddr)
	c := &socks.Client{Addr: local.String(), FastOpen: true}
	require.False(t, inSYN(t, dialed(t, c)), "no cookie")
	require.True(t, inSYN(t, dialed(t, c)))
	c = &socks.Client{Addr: fmt.Sprint("localhost:", local.Port), Network: "tcp4", FastOpen: true}
	require.False(t, inSYN(t, dialed(t, c)), "a name")

	unix := clientOverUnix(t, &testgw.Gateway{Dial: toSilence})
	unix.FastOpen = true
	dialed(t, unix)
}

func testFastOpenNotTaken(t *testing.T) {
	g := &testgw.Gateway{Dial: toSilence}
	require.NoError(t, g.Start("tcp", nearIP+":0"))
	t.Cleanup(g.Close)
	c := &socks.Client{Addr: atFar(t, g.Addr()), FastOpen: true}
	for range 3 {
		require.False(t, inSYN(t, dialed(t, c)))
	}
	require.Len(t, g.Requests(), 3)
}

// refusedAddr returns an address at which nothing listens.
func refusedAddr(t *testing.T) string {
	l, err := net.Listen("tcp", nearIP+":0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return atFar(t, l.Addr())
}

func testFastOpenRefused(t *testing.T) {
	for _, h := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined, socks.HandshakeStepwise} {
		var failed []error
		c := &socks.Client{Addr: refusedAddr(t), FastOpen: true, Handshake: h}
		c.Trace = &socks.Trace{GatewayConnected: func(_ net.Addr, _ time.Duration, err error) { failed = append(failed, err) }}
		_, err := c.Dial("tcp", "name.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
		require.Equal(t, "socks connect", op.Op)
		require.ErrorContains(t, err, "gateway unreachable")
		require.Len(t, failed, 1)
		require.ErrorIs(t, failed[0], syscall.ECONNREFUSED)
		require.EqualValues(t, 1, c.Stats().GatewayFailed)
	}
}

// losing makes the network drop SYNs, all of them or only those with data, until the returned func is called.
func losing(withDataAlone bool) (stop func()) {
	drop := func(segment []byte) bool {
		syn, data := isSYN(segment)
		return syn && (data || !withDataAlone)
	}
	network.drop.Store(&drop)
	return func() { network.drop.Store(nil) }
}

func testFastOpenUnanswered(t *testing.T) {
	for _, h := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined, socks.HandshakeStepwise} {
		g := &testgw.Gateway{Dial: toSilence}
		addr := fastGateway(t, g)
		stop := losing(false)
		c := &socks.Client{Addr: addr, FastOpen: true, Handshake: h, Timeout: 600 * time.Millisecond}
		_, err := c.Dial("tcp", "name.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.ErrorContains(t, err, "gateway unreachable")

		ctx, cancel := context.WithCancel(t.Context())
		c.Trace = &socks.Trace{RequestSent: func(string, *socks.Addr) { cancel() }}
		time.AfterFunc(100*time.Millisecond, cancel) // stepwise, the request is never sent
		_, err = c.DialContext(ctx, "tcp", "name.example:80")
		require.ErrorIs(t, err, context.Canceled)

		stop()
		require.Empty(t, g.Requests())
		dialed(t, &socks.Client{Addr: addr, FastOpen: true, Handshake: h})
		require.Len(t, g.Requests(), 1)
	}
}

// The system repeats the SYN without data. After that, the Client does not use Fast Open.
func testFastOpenLost(t *testing.T) {
	server, client := certifiedByName()
	for what, c := range map[string]*socks.Client{
		"auto":      {},
		"pipelined": {Handshake: socks.HandshakePipelined},
		"stepwise":  {Handshake: socks.HandshakeStepwise},
		"TLS":       {TLS: client},
	} {
		t.Run(what, func(t *testing.T) {
			g := &testgw.Gateway{Dial: toSilence}
			if c.TLS != nil {
				g.TLS = server
			}
			c.Addr, c.FastOpen = fastGateway(t, g), true
			stop := losing(true)
			defer stop()
			require.False(t, inSYN(t, dialed(t, c)))
			require.False(t, inSYN(t, dialed(t, c)))
			stop()
			require.False(t, inSYN(t, dialed(t, c)), "the Client does not use Fast Open")
			require.Len(t, g.Requests(), 3)
		})
	}
}

// forgetful is a source of random bytes that makes the system forget its cookies at the first Read.
type forgetful struct{ done atomic.Bool }

func (f *forgetful) Read(b []byte) (int, error) {
	if !f.done.Swap(true) {
		if out, err := exec.Command("ip", "tcp_metrics", "flush").CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, out)
		}
	}
	return rand.Read(b)
}

func testFastOpenForgotten(t *testing.T) {
	server, client := certifiedByName()
	random := new(forgetful)
	client.Rand = random // TLS reads it between connecting and the first write
	g := &testgw.Gateway{Dial: toSilence, TLS: server}
	addr := fastGateway(t, g)
	c := &socks.Client{Addr: addr, TLS: client, FastOpen: true}
	require.False(t, inSYN(t, dialed(t, c)))
	require.True(t, random.done.Load())
	require.True(t, inSYN(t, dialed(t, c)), "there is a cookie again")
	require.Len(t, g.Requests(), 2)
}

// If a gateway is silent after the connection is established, a stepwise attempt is made, as without Fast Open.
func testFastOpenSilence(t *testing.T) {
	g := &testgw.Gateway{Dial: toSilence, Misbehave: func(conn int) testgw.Fault {
		if conn == 0 {
			return testgw.Fault{Silent: testgw.StageMethod}
		}
		return testgw.Fault{}
	}}
	addr := fastGateway(t, g)
	c := &socks.Client{Addr: addr, FastOpen: true}
	require.False(t, inSYN(t, dialed(t, c)), "the second attempt does not use Fast Open")
	require.True(t, inSYN(t, dialed(t, c)), "the next dial uses Fast Open")
}

func testFastOpenFeatures(t *testing.T) {
	t.Run("a spare", func(t *testing.T) {
		g := &testgw.Gateway{Dial: toSilence}
		addr := fastGateway(t, g)
		c := &socks.Client{Addr: addr, FastOpen: true, Spare: 1}
		require.True(t, inSYN(t, dialed(t, c)))
		require.Eventually(t, func() bool {
			dialed(t, c)
			return c.Stats().SpareHits > 0
		}, 10*time.Second, time.Millisecond)
		require.NoError(t, c.Close())
	})
	t.Run("a group", func(t *testing.T) {
		g := &testgw.Gateway{Dial: toSilence}
		addr := fastGateway(t, g)
		group := &socks.Group{Clients: []*socks.Client{{Addr: refusedAddr(t), FastOpen: true}, {Addr: addr, FastOpen: true}}}
		conn, err := group.Dial("tcp", "name.example:80")
		require.NoError(t, err)
		defer conn.Close()
		require.True(t, inSYN(t, conn.(*socks.Conn)))
	})
	t.Run("a chain", func(t *testing.T) {
		first := &testgw.Gateway{}
		firstAddr := fastGateway(t, first)
		addr := fastGateway(t, &testgw.Gateway{Dial: toSilence})
		c := &socks.Client{Addr: addr, FastOpen: true, Forward: &socks.Client{Addr: firstAddr, FastOpen: true}}
		require.True(t, inSYN(t, dialed(t, c).NetConn().(*socks.Conn)))
	})
	t.Run("UDP and BIND", func(t *testing.T) {
		addr := fastGateway(t, &testgw.Gateway{})
		c := &socks.Client{Addr: addr, FastOpen: true}
		p, err := c.ListenPacket(t.Context(), "udp", "")
		require.NoError(t, err)
		require.NoError(t, p.Close())
		l, err := c.Listen(t.Context(), "tcp", "")
		require.NoError(t, err)
		require.NoError(t, l.Close())
	})
	t.Run("a failed password", func(t *testing.T) {
		addr := fastGateway(t, &testgw.Gateway{Users: map[string]string{"user": "hunter2"}})
		c := &socks.Client{Addr: addr, FastOpen: true, Auth: []socks.Auth{socks.UserPass("user", "wrong")}}
		_, err := c.Dial("tcp", "name.example:80")
		require.ErrorIs(t, err, socks.ErrAuthFailed)
	})
}
