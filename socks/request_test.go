package socks_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// gateway is a gateway in memory. It lets every client in without authentication and calls answer for each
// request, with the number of the connection, counted from 0. The connection ends when answer returns.
type gateway struct {
	answer   func(conn int, c net.Conn)
	requests atomic.Int64
	conns    atomic.Int64
	open     atomic.Int64
}

func (g *gateway) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	n := int(g.conns.Add(1)) - 1
	g.open.Add(1)
	go func() { // ends with answer, or with the connection
		defer g.open.Add(-1)
		defer far.Close()
		r := wire.NewReader(bufio.NewReader(far)) // a pipe has no buffer, and messages may come together
		if _, err := r.ReadMethods(); err != nil {
			return
		}
		far.Write([]byte{wire.Version, wire.MethodNone})
		if _, _, err := r.ReadRequest(); err != nil {
			return
		}
		g.requests.Add(1)
		g.answer(n, far)
	}()
	return near, nil
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

// A dial sends its request at most twice, whatever the gateway does, with spares and without. Then it returns an
// error.
func TestAtMostTwoRequests(t *testing.T) {
	ways := map[string]socks.Handshake{"auto": socks.HandshakeAuto, "stepwise": socks.HandshakeStepwise, "pipelined": socks.HandshakePipelined}
	for name, answer := range map[string]func(int, net.Conn){
		"hangs up": hangsUp, "hangs up slowly": slowly, "garbage": babbles, "silence": freezes, "refusal": refuses,
	} {
		for way, handshake := range ways {
			for _, spare := range []int{0, 1, 4} {
				synctest.Test(t, func(t *testing.T) {
					g := &gateway{answer: grants}
					c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Handshake: handshake, Spare: spare}
					dialOnce(t, c)
					synctest.Wait()
					g.answer = answer
					for range 5 {
						before := g.requests.Load()
						begun := time.Now()
						ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
						_, err := c.DialContext(ctx, "tcp", "x.example:80")
						cancel()
						require.Error(t, err)
						require.LessOrEqual(t, g.requests.Load()-before, int64(2), "%s, %s, Spare %d", name, way, spare)
						require.Positive(t, g.requests.Load()-before)
						require.LessOrEqual(t, time.Since(begun), 5*time.Second)
						synctest.Wait()
					}
					g.answer = grants
					dialOnce(t, c)
					require.NoError(t, c.Close())
					synctest.Wait()
					require.Zero(t, g.open.Load())
				})
			}
		}
	}
}

// A Client without a Timeout has two bounds: one until the gateway has let the dial in, one for the whole dial.
// The error says what the dial was waiting for.
func TestDefaultBounds(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
		synctest.Test(t, func(t *testing.T) {
			silent := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Forward: inMemory(wire.MethodNone, nil, 0)}
			begun := time.Now()
			_, err := silent.Dial("tcp", "x.example:80")
			require.Equal(t, 15*time.Second, time.Since(begun))
			requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
			require.ErrorContains(t, err, "accepted the connection and has not answered: does it speak SOCKS5?")

			slow := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Forward: inMemory(wire.MethodNone, nil, 2)}
			begun = time.Now()
			_, err = slow.Dial("tcp", "x.example:80")
			require.Equal(t, 2*time.Minute, time.Since(begun))
			requireClasses(t, err, os.ErrDeadlineExceeded)
			require.True(t, err.(net.Error).Timeout())
		})
	}
}

// An HTTP server waits for the end of a line, which never comes: the error asks whether it speaks SOCKS5.
func TestAnHTTPServerIsNoGateway(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c := &socks.Client{Addr: s.Listener.Addr().String(), Timeout: 500 * time.Millisecond}
	_, err := c.Dial("tcp", "x.example:80")
	require.Error(t, err)
	if errors.Is(err, socks.ErrProtocol) {
		require.ErrorContains(t, err, "HTTP")
	} else {
		require.ErrorContains(t, err, "does it speak SOCKS5?")
	}
}

// The bound of the whole dial applies to the connection to the relay.
func TestTimeoutBoundsTheRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "udp" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return g.DialContext(ctx, network, address)
		})
		for timeout, want := range map[time.Duration]time.Duration{0: 2 * time.Minute, 7 * time.Second: 7 * time.Second} {
			c := &socks.Client{Addr: "127.0.0.1:1080", Forward: forward, Timeout: timeout}
			begun := time.Now()
			_, err := c.ListenPacket(t.Context(), "udp", "")
			require.Equal(t, want, time.Since(begun))
			requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
			synctest.Wait()
			require.Zero(t, g.open.Load(), "the control connection is closed")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := (&socks.Client{Addr: "127.0.0.1:1080", Forward: forward}).ListenPacket(ctx, "udp", "")
		requireClasses(t, err, context.DeadlineExceeded)
	})
}

// Errors of this machine do not match ErrGateway.
func TestLocalErrors(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		c := &socks.Client{Addr: closedAddr, Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", errno)}
		})}
		_, err := c.Dial("tcp", "x.example:80")
		requireClasses(t, err, errno)
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

// A transport whose deadlines do not work has no spares, and its dials end with the context and at the bounds.
func TestTransportWithoutDeadlines(t *testing.T) {
	for _, fails := range []error{nil, errors.New("deadlines are not supported")} {
		for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{answer: grants}
				forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := g.DialContext(ctx, network, address)
					return withoutDeadlines{conn, fails}, err
				})
				c := &socks.Client{Addr: "127.0.0.1:1080", Forward: forward, Handshake: handshake, Spare: 2}
				for range 3 {
					dialOnce(t, c)
					time.Sleep(time.Minute)
					synctest.Wait()
					require.Zero(t, g.open.Load(), "no spare stays")
				}
				require.Zero(t, c.Stats().SpareHits)

				g.answer = freezes
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				begun := time.Now()
				_, err := c.DialContext(ctx, "tcp", "x.example:80")
				cancel()
				require.Equal(t, time.Second, time.Since(begun))
				requireClasses(t, err, context.DeadlineExceeded)

				begun = time.Now()
				_, err = c.Dial("tcp", "x.example:80")
				require.Equal(t, 2*time.Minute, time.Since(begun))
				requireClasses(t, err, os.ErrDeadlineExceeded)
				require.NoError(t, c.Close())
				synctest.Wait()
				require.Zero(t, g.open.Load())
			})
		}
	}
}

// A gateway that reads one message at a time and one that pipelines take turns at one address: at most one dial
// fails after each change.
func TestAutoFollowsTheGateway(t *testing.T) {
	for name, users := range map[string]map[string]string{"no auth": nil, "password": {"user": "pass"}} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			first := testgw.Start(t, &testgw.Gateway{Users: users})
			c := &socks.Client{Addr: first.Addr().String(), Timeout: 2 * time.Second}
			if users != nil {
				c.Auth = both[:1]
			}
			connect(t, c, l)
			first.Close()
			second := &testgw.Gateway{Users: users, Quirks: testgw.Quirks{OneRecv: true}}
			require.NoError(t, second.Start("tcp", c.Addr))
			defer second.Close()
			failed := 0
			for range 4 {
				conn, err := c.Dial("tcp", l.Addr().String())
				if err != nil {
					failed++
					continue
				}
				conn.Close()
			}
			require.LessOrEqual(t, failed, 1)
			connect(t, c, l)
		})
	}
}

// A gateway that needed steps gets a pipelined handshake again after ten minutes.
func TestAutoTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: func(n int, c net.Conn) {
			if n > 0 { // the first connection is closed without a reply
				grants(n, c)
			}
		}}
		var order []string
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Trace: &socks.Trace{
			RequestSent:  func(string, *socks.Addr) { order = append(order, "request") },
			MethodChosen: func(byte) { order = append(order, "method") },
		}}
		dialOnce(t, c)
		order = nil
		dialOnce(t, c)
		require.Equal(t, []string{"method", "request"}, order)
		time.Sleep(10 * time.Minute)
		order = nil
		dialOnce(t, c)
		require.Equal(t, []string{"request", "method"}, order)
		order = nil
		dialOnce(t, c)
		require.Equal(t, []string{"request", "method"}, order)
		synctest.Wait()
	})
}

// Network errors that an Auth returns match ErrGateway, and an Auth may set deadlines.
func TestAuthThatLosesTheConnection(t *testing.T) {
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: errors.New("reset")}} {
		c := &socks.Client{Addr: "gateway.example:1080", Auth: []socks.Auth{failingAuth{cause}},
			Forward: chooses(0x80, func(c net.Conn) net.Conn { return c })}
		_, err := c.Dial("tcp", "name.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		require.EqualValues(t, 1, c.Stats().GatewayFailed)
	}
}

// With HandshakePipelined, a method that cannot be pipelined is negotiated stepwise, after the gateway has refused
// the method that can.
func TestPipelinedWithAnAuthOfSeveralMessages(t *testing.T) {
	l := listen(t)
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r := wire.NewReader(c)
			if methods, _ := r.ReadMethods(); len(methods) == 2 {
				c.Write([]byte{wire.Version, plainAuth{}.Method()})
				r.ReadRequest()
				c.Write([]byte("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"))
			} else {
				c.Write([]byte{wire.Version, wire.MethodNoAcceptable})
			}
			c.Close()
		}
	}()
	c := &socks.Client{Addr: l.Addr().String(), Handshake: socks.HandshakePipelined, Auth: []socks.Auth{socks.NoAuth, plainAuth{}}}
	for range 3 {
		dialOnce(t, c)
	}
}

// plainAuth is a method of another package without messages.
type plainAuth struct{}

func (plainAuth) Method() byte                                              { return 0x86 }
func (plainAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) { return c, nil }
