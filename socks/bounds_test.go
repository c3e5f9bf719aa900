package socks_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// A dial whose reply comes at the time of the bound succeeds with a connection that works, or fails: the timer
// that closes the transport may be running concurrently.
func TestReplyAtTheBoundGrantsOrFails(t *testing.T) {
	granted := 0
	for range 3000 {
		synctest.Test(t, func(t *testing.T) {
			const bound = time.Second
			g := &gateway{answer: func(n int, c net.Conn) {
				time.Sleep(bound)
				grants(n, c)
			}}
			c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: bound, Handshake: socks.HandshakePipelined}
			c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := g.DialContext(ctx, network, address)
				return withoutDeadlines{Conn: conn}, err
			})
			conn, err := c.Dial("tcp", "x.example:80")
			if err != nil {
				require.True(t, err.(net.Error).Timeout())
				return
			}
			granted++
			time.Sleep(time.Minute)
			_, err = conn.Write([]byte("x"))
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		})
	}
	t.Logf("%d granted", granted)
}

// A Client without a Timeout has two bounds: one until the gateway has let the dial in, one for the whole dial.
// The error says what the dial was waiting for.
func TestClientWithoutATimeoutHasTwoBounds(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
		synctest.Test(t, func(t *testing.T) {
			silent := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Forward: silentAfter(0, wire.MethodNone, nil)}
			begun := time.Now()
			_, err := silent.Dial("tcp", "x.example:80")
			require.Equal(t, 15*time.Second, time.Since(begun))
			requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
			require.ErrorContains(t, err, "accepted the connection and has not answered: does it speak SOCKS5?")

			slow := &socks.Client{Addr: "127.0.0.1:1080", Handshake: handshake, Forward: silentAfter(2, wire.MethodNone, nil)}
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

// A transport whose deadlines do not work has no spares, and its dials end with the context and at the bounds.
func TestTransportWithoutDeadlinesEndsAtTheBounds(t *testing.T) {
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

// noted is a connection that records the latest of its deadlines.
type noted struct {
	net.Conn
	latest *time.Time
	idle   bool // deadlines have no effect
}

func (c noted) SetDeadline(t time.Time) error     { return c.set(t, c.Conn.SetDeadline) }
func (c noted) SetReadDeadline(t time.Time) error { return c.set(t, c.Conn.SetReadDeadline) }

func (c noted) set(t time.Time, deadline func(time.Time) error) error {
	if t.After(*c.latest) {
		*c.latest = t
	}
	if c.idle {
		return nil
	}
	return deadline(t)
}

// A gateway chooses a method that was not offered, and sends no more. That could be the beginning of Tor's reply,
// and the rest of it is waited for within the Timeout. The gateway's choice is the outcome, whether a deadline
// ends the wait or, if deadlines have no effect, the timer that closes a Forward's connection.
func TestTimeoutBoundsTheLastWords(t *testing.T) {
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakePipelined} {
		for _, idle := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var latest time.Time
				c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: 100 * time.Millisecond, Handshake: handshake,
					Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() { // ends when near is closed
							defer far.Close()
							far.Read(make([]byte, 512))
							far.Write([]byte{5, 1})
							far.Read(make([]byte, 512))
						}()
						return noted{near, &latest, idle}, nil
					})}
				begun := time.Now()
				_, err := c.Dial("tcp", "x.example:80")
				require.Equal(t, c.Timeout, time.Since(begun))
				requireClasses(t, err, socks.ErrProtocol)
				require.False(t, latest.After(begun.Add(c.Timeout)), "a deadline %v after the bound", latest.Sub(begun.Add(c.Timeout)))
				synctest.Wait()
			})
		}
	}
}
