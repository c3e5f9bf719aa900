package socks_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// What happened at a gateway decides whether the next one is tried, and whether the gateway rests.
func TestGroupJudgesByWhatHappenedAtTheGateway(t *testing.T) {
	end := func(c net.Conn) { c.Close() }
	for _, row := range []struct {
		what        string
		first       *socks.Client
		goesOn      bool
		rests       bool
		want        error // if the next gateway is not tried
		cancelAfter time.Duration
	}{
		{what: "unreachable", first: &socks.Client{Forward: cannotDial(syscall.ECONNREFUSED)}, goesOn: true, rests: true},
		{what: "silent from the start", first: &socks.Client{Forward: afterGreeting(func(c net.Conn) { io.Copy(io.Discard, c) })}, goesOn: true, rests: true},
		{what: "silent in the transport", first: &socks.Client{Forward: dialFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})}, goesOn: true, rests: true},
		{what: "hangs up before it lets in", first: &socks.Client{Forward: afterGreeting(end)}, goesOn: true, rests: true},
		{what: "garbage before it lets in", first: &socks.Client{Forward: afterGreeting(func(c net.Conn) { babbles(0, c) })}, goesOn: true, rests: true},
		{what: "hangs up afterwards", first: &socks.Client{Forward: &gateway{answer: hangsUp}}, goesOn: true},
		{what: "garbage afterwards", first: &socks.Client{Forward: &gateway{answer: babbles}}, goesOn: true},
		{what: "a Reply", first: &socks.Client{Forward: &gateway{answer: refuses}}, want: socks.ErrConnectionRefused},
		{what: "no acceptable method", first: &socks.Client{Forward: afterGreeting(func(c net.Conn) { c.Write([]byte{5, 0xff}) })}, want: socks.ErrNoAcceptableAuth},
		{what: "wants a password", first: &socks.Client{Forward: afterGreeting(func(c net.Conn) { c.Write([]byte{5, 2}) })}, want: socks.ErrNoAcceptableAuth},
		{what: "EMFILE", first: &socks.Client{Forward: cannotDial(&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)})}, want: syscall.EMFILE},
		{what: "EADDRNOTAVAIL", first: &socks.Client{Forward: cannotDial(syscall.EADDRNOTAVAIL)}, want: syscall.EADDRNOTAVAIL},
		{what: "silent afterwards", first: &socks.Client{Forward: &gateway{answer: freezes}, Timeout: time.Second}, want: os.ErrDeadlineExceeded},
		{what: "silent afterwards, to the context's end", first: &socks.Client{Forward: &gateway{answer: freezes}}, want: context.DeadlineExceeded},
		{what: "cancelled", first: &socks.Client{Forward: afterGreeting(func(c net.Conn) { io.Copy(io.Discard, c) })}, want: context.Canceled, cancelAfter: 100 * time.Millisecond},
		{what: "nothing to use", first: &socks.Client{Handshake: 99}, want: nil},
	} {
		for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
			synctest.Test(t, func(t *testing.T) {
				first := &socks.Client{Addr: "127.0.0.1:1", Forward: row.first.Forward, Timeout: row.first.Timeout, Handshake: handshake}
				if row.first.Handshake != 0 {
					first.Handshake = row.first.Handshake
				}
				second := &gateway{answer: grants}
				g := &socks.Group{Clients: []*socks.Client{first, {Addr: "127.0.0.1:2", Forward: second}}}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if row.cancelAfter > 0 {
					defer time.AfterFunc(row.cancelAfter, cancel).Stop()
				}
				conn, err := g.DialContext(ctx, "tcp", "x.example:80")
				if row.goesOn {
					require.NoError(t, err, row.what)
					conn.Close()
				} else {
					require.Error(t, err, row.what)
					require.Zero(t, second.requests.Load(), row.what)
				}
				if row.want != nil {
					require.ErrorIs(t, err, row.want, row.what)
				}
				require.Equal(t, row.rests, !g.Health()[0].RestsUntil.IsZero(), row.what)
				require.Equal(t, row.rests, g.Health()[0].Failures == 1, row.what)
				cancel()
				synctest.Wait()
				require.Zero(t, second.open.Load())
			})
		}
	}
}

// A silent gateway has an equal share of the context's time, and rests afterwards.
func TestSilentGatewayHasAShareOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := afterGreeting(func(c net.Conn) { io.Copy(io.Discard, c) })
		works := &gateway{answer: func(n int, c net.Conn) {
			time.Sleep(340 * time.Millisecond) // once let in, a dial has all the remaining time
			grants(n, c)
		}}
		g := &socks.Group{Rest: time.Minute, Clients: []*socks.Client{{Addr: "127.0.0.1:1", Forward: silent}, {Addr: "127.0.0.1:2", Forward: works}}}
		for i := range 8 {
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			begun := time.Now()
			conn, err := g.DialContext(ctx, "tcp", "x.example:80")
			cancel()
			require.NoError(t, err)
			conn.Close()
			if i == 0 {
				require.Equal(t, 690*time.Millisecond, time.Since(begun))
			} else {
				require.Equal(t, 340*time.Millisecond, time.Since(begun))
			}
		}
		synctest.Wait()
	})
}

// When a rest is over, one dial probes the gateway; the others use the next gateway meanwhile.
func TestOneDialProbesAfterARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &gateway{answer: grants}
		works := false
		var tries int
		forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			tries++
			if !works {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return first.DialContext(ctx, network, address)
		})
		second := &gateway{answer: grants}
		g := &socks.Group{Clients: []*socks.Client{
			{Addr: "127.0.0.1:1", Forward: forward, Timeout: 10 * time.Second}, {Addr: "127.0.0.1:2", Forward: second},
		}}
		dial := func() time.Duration {
			begun := time.Now()
			conn, err := g.Dial("tcp", "x.example:80")
			require.NoError(t, err)
			conn.Close()
			return time.Since(begun)
		}
		require.Equal(t, 10*time.Second, dial())
		require.Zero(t, dial())
		time.Sleep(time.Second)

		probe := make(chan time.Duration)
		go func() { probe <- dial() }() // ends with the dial
		synctest.Wait()
		require.Equal(t, 2, tries)
		for range 20 {
			require.Zero(t, dial())
			time.Sleep(time.Second / 2)
		}
		require.Equal(t, 2, tries, "one dial probes, the others use the second gateway")
		require.Equal(t, 10*time.Second, <-probe)
		require.Equal(t, 2, g.Health()[0].Failures)

		time.Sleep(2 * time.Second)
		works = true
		require.Zero(t, dial())
		require.Equal(t, 3, tries)
		require.Zero(t, g.Health()[0].Failures)
		dial()
		require.Equal(t, 4, tries, "the first gateway is used again")
		synctest.Wait()
	})
}

// If a probe ends without a verdict, the next dial probes the gateway.
func TestProbeWithoutAVerdictIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := true
		first := &gateway{answer: grants}
		g := &socks.Group{Clients: []*socks.Client{
			{Addr: "127.0.0.1:1", Handshake: socks.HandshakeStepwise, Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				if dead {
					return nil, errors.New("dead")
				}
				return first.DialContext(ctx, network, address)
			})},
			{Addr: "127.0.0.1:2", Forward: &gateway{answer: grants}},
		}}
		dial := func() {
			conn, err := g.Dial("tcp", "x.example:80")
			require.NoError(t, err)
			conn.Close()
		}
		dial()
		time.Sleep(time.Second)
		dead, first.answer = false, freezes
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := g.DialContext(ctx, "tcp", "x.example:80")
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		first.answer = grants
		dial()
		require.Zero(t, g.Health()[0].Failures)
		require.EqualValues(t, 2, first.requests.Load())
		synctest.Wait()
	})
}

// If the first hop of a chain does not support UDP, the gateway does not rest.
func TestGroupGoesOnWithoutUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hop := &gateway{answer: grants}
		forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "udp" {
				return nil, socks.ErrCommandNotSupported
			}
			return hop.DialContext(ctx, network, address)
		})
		var udp net.Conn
		works := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if network != "udp" {
				return hop.DialContext(ctx, network, address)
			}
			near, far := net.Pipe()
			udp = far
			return near, nil
		})
		g := &socks.Group{Clients: []*socks.Client{{Addr: "127.0.0.1:1", Forward: forward}, {Addr: "127.0.0.1:2", Forward: works}}}
		p, err := g.ListenPacket(t.Context(), "udp", "")
		require.NoError(t, err)
		require.NoError(t, p.Close())
		udp.Close()
		require.True(t, g.Health()[0].RestsUntil.IsZero())

		// It does not rest either if the context ends while the relay is dialed.
		g = &socks.Group{Clients: []*socks.Client{{Addr: "127.0.0.1:1", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "udp" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return hop.DialContext(ctx, network, address)
		})}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = g.ListenPacket(ctx, "udp", "")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, g.Health()[0].RestsUntil.IsZero())
		synctest.Wait()
	})
}
