package socks_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// The first dial finds out whether the gateway pipelines; later dials use that.
func TestAutoLearnsFromTheFirstDial(t *testing.T) {
	users := map[string]string{"user": "pass"}
	password := both[:1]
	for name, test := range map[string]struct {
		gateway *testgw.Gateway
		auth    []socks.Auth
		first   int64 // connections of the first dial
		silent  bool  // a silence of the gateway makes the first dial find out
	}{
		"no auth":                          {gateway: &testgw.Gateway{}, first: 1},
		"password":                         {gateway: &testgw.Gateway{Users: users}, auth: password, first: 1},
		"both offered, password wanted":    {gateway: &testgw.Gateway{Users: users}, auth: both, first: 1},
		"both offered, none wanted":        {gateway: &testgw.Gateway{}, auth: both, first: 2},
		"tor, password":                    {gateway: &testgw.Gateway{Users: users, Quirks: testgw.Quirks{MissingMethodReply: true}}, auth: password, first: 1},
		"one message per read":             {gateway: &testgw.Gateway{Quirks: testgw.Quirks{OneRecv: true}}, first: 2, silent: true},
		"one message per read, password":   {gateway: &testgw.Gateway{Users: users, Quirks: testgw.Quirks{OneRecv: true}}, auth: password, first: 2, silent: true},
		"garbage for pipelined, then well": {gateway: &testgw.Gateway{Misbehave: firstOnly(testgw.Fault{Answer: garbage})}, first: 2},
		"a close for pipelined, then well": {gateway: &testgw.Gateway{Misbehave: firstOnly(testgw.Fault{End: testgw.FIN, After: 1})}, first: 2},
		"a reset for pipelined, then well": {gateway: &testgw.Gateway{Misbehave: firstOnly(testgw.Fault{End: testgw.RST})}, first: 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			for tries := 0; ; tries++ {
				g := &testgw.Gateway{Users: test.gateway.Users, Quirks: test.gateway.Quirks, Misbehave: test.gateway.Misbehave}
				c := clientOf(t, g)
				c.Auth = test.auth
				forward := new(counted)
				c.Forward = forward
				begun := time.Now()
				first := forward.took(func() { connect(t, c, l) })
				if silent := time.Since(begun) >= 250*time.Millisecond; silent && !test.silent && tries < 5 {
					continue // a busy machine looks like a silent gateway
				}
				require.Equal(t, test.first, first)
				for range 3 {
					require.EqualValues(t, 1, forward.took(func() { connect(t, c, l) }))
				}
				return
			}
		})
	}
}

func firstOnly(f testgw.Fault) func(int) testgw.Fault {
	return func(conn int) testgw.Fault {
		if conn == 0 {
			return f
		}
		return testgw.Fault{}
	}
}

func garbage(testgw.Stage, []byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }

// A refusal of the destination is the outcome, in the first dial too; the request is not sent twice.
func TestAutoTakesARefusalAsTheOutcome(t *testing.T) {
	for name, test := range map[string]struct {
		quirks testgw.Quirks
		users  map[string]string
		auth   []socks.Auth
	}{
		"plain":                   {},
		"short":                   {quirks: testgw.Quirks{ShortErrorReply: 3}},
		"tor":                     {quirks: testgw.Quirks{MissingMethodReply: true}, users: map[string]string{"user": "pass"}, auth: both[:1]},
		"wrong password is final": {users: map[string]string{"user": "other"}, auth: both[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			g := &testgw.Gateway{Quirks: test.quirks, Users: test.users}
			c := clientOf(t, g)
			c.Auth = test.auth
			forward := new(counted)
			c.Forward = forward
			require.EqualValues(t, 1, forward.took(func() {
				_, err := c.Dial("tcp", closedAddr)
				if name == "wrong password is final" {
					require.ErrorIs(t, err, socks.ErrAuthFailed)
					require.Empty(t, g.Requests())
				} else {
					require.ErrorIs(t, err, socks.ErrConnectionRefused)
				}
			}))
		})
	}
}

// Tor rejects an invalid request before it answers the authentication.
func TestTorMayRejectBeforeTheStatus(t *testing.T) {
	c := clientOf(t, &testgw.Gateway{
		Users:  map[string]string{"user": "pass"},
		Quirks: testgw.Quirks{MissingMethodReply: true},
		Misbehave: func(int) testgw.Fault {
			return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
				if at == testgw.StageStatus {
					return []byte{5, 7, 0, 0, 0, 0, 0, 0, 0, 0}
				}
				return b
			}}
		},
	})
	c.Auth = both[:1]
	_, err := c.Listen(t.Context(), "tcp", "")
	require.ErrorIs(t, err, socks.ErrCommandNotSupported)
}

// Without credentials, Tor omits the choice of a method too.
func TestTorMayRejectBeforeTheMethod(t *testing.T) {
	for rep, want := range map[byte]error{1: socks.ErrGeneralFailure, 7: socks.ErrCommandNotSupported, 8: socks.ErrAddressTypeNotSupported} {
		for _, h := range []socks.Handshake{socks.HandshakePipelined, socks.HandshakeAuto} {
			c := &socks.Client{Addr: "gateway:1080", Handshake: h, Forward: saying([]byte{5, rep, 0, 1, 0, 0, 0, 0, 0, 0})}
			_, err := c.Listen(t.Context(), "tcp", "")
			require.ErrorIs(t, err, want)
		}
	}
	c := &socks.Client{Addr: "gateway:1080", Handshake: socks.HandshakePipelined, Forward: saying([]byte{5, 7})}
	_, err := c.Listen(t.Context(), "tcp", "")
	require.ErrorIs(t, err, socks.ErrProtocol, "a method that was not offered")
}

// A slow destination looks like a gateway that cannot pipeline, until the gateway is known to pipeline.
func TestSlowDestinationCostsOneSecondAttempt(t *testing.T) {
	slow := make(chan struct{})
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"slow.example": {loopback4}, "fast.example": {loopback4}}}
	g.Misbehave = func(int) testgw.Fault {
		return testgw.Fault{Hold: func(ctx context.Context, at testgw.Stage) {
			if at == testgw.StageReply {
				select {
				case <-slow:
				case <-ctx.Done():
				}
			}
		}}
	}
	c := clientOf(t, g)
	forward := new(counted)
	c.Forward = forward
	l := listen(t)
	stop := time.AfterFunc(600*time.Millisecond, func() { close(slow) })
	defer stop.Stop()
	require.EqualValues(t, 2, forward.took(func() { connect(t, c, l) }), "unknown: a second attempt, after the silence")

	g2 := &testgw.Gateway{Misbehave: func(conn int) testgw.Fault {
		if conn == 0 {
			return testgw.Fault{}
		}
		return testgw.Fault{Hold: testgw.Delay(testgw.StageReply, 600*time.Millisecond)}
	}}
	c = clientOf(t, g2)
	c.Forward = forward
	require.EqualValues(t, 1, forward.took(func() { connect(t, c, l) }))
	require.EqualValues(t, 1, forward.took(func() { connect(t, c, l) }), "known: one, however slow")
	require.Len(t, g2.Requests(), 2)
}

// HandshakePipelined makes one write, and fails if the gateway does not support that.
func TestPipelinedIsOneWrite(t *testing.T) {
	c := clientOf(t, &testgw.Gateway{Users: map[string]string{"user": "pass"}, Hosts: map[string][]netip.Addr{"x": {loopback4}}})
	c.Handshake, c.Auth = socks.HandshakePipelined, both[:1]
	var conn *writes
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		conn = &writes{Conn: raw}
		return conn, err
	})
	_, err := c.Dial("tcp", "unknown.example:80")
	require.ErrorIs(t, err, socks.ErrHostUnreachable)
	require.Equal(t, []string{"\x05\x01\x02\x01\x04user\x04pass\x05\x01\x00\x03\x0funknown.example\x00\x50"}, conn.all)

	c = clientOf(t, &testgw.Gateway{Quirks: testgw.Quirks{OneRecv: true}})
	c.Handshake = socks.HandshakePipelined
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	_, err = c.DialContext(ctx, "tcp", "x.example:80")
	require.ErrorIs(t, err, context.DeadlineExceeded)

	c = clientOf(t, new(testgw.Gateway))
	c.Handshake, c.Auth = socks.HandshakePipelined, both
	forward := new(counted)
	c.Forward = forward
	l := listen(t)
	require.EqualValues(t, 2, forward.took(func() { connect(t, c, l) }), "the gateway accepts the other method")
	require.EqualValues(t, 1, forward.took(func() { connect(t, c, l) }))
}

type mutualAuth struct{}

func (mutualAuth) Method() byte { return 0x80 }
func (mutualAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) {
	return c, nil
}

// A method of several messages is negotiated stepwise, and cannot be pipelined.
func TestCustomAuthIsStepwise(t *testing.T) {
	c := &socks.Client{Addr: closedAddr, Handshake: socks.HandshakePipelined, Auth: []socks.Auth{mutualAuth{}}}
	_, err := c.Dial("tcp", "x.example:80")
	require.ErrorContains(t, err, "can be pipelined")

	g := &testgw.Gateway{Misbehave: func(int) testgw.Fault {
		return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
			if at == testgw.StageMethod {
				return []byte{5, 0x80}
			}
			return b
		}}
	}}
	c = clientOf(t, g)
	c.Auth = []socks.Auth{mutualAuth{}, socks.NoAuth}
	forward := new(counted)
	c.Forward = forward
	require.EqualValues(t, 1, forward.took(func() { connect(t, c, listen(t)) }))
}

// A gateway may reply in place of choosing a method. Its first two bytes could also be a choice, so the rest is waited
// for, even beyond the time after which a silent gateway gets a second request.
func TestReplyInPiecesIsOneAnswer(t *testing.T) {
	for _, pause := range []time.Duration{0, 200 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			var conns atomic.Int64
			c := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
				conns.Add(1)
				near, far := net.Pipe()
				go io.Copy(io.Discard, far) // ends with the connection
				go func() {                 // ends when the reply is sent, or the connection is closed
					defer far.Close()
					far.Write([]byte{wire.Version, byte(socks.ErrGeneralFailure)})
					time.Sleep(pause)
					far.Write([]byte{0, 1, 0, 0, 0, 0, 0, 0})
				}()
				return near, nil
			})}
			_, err := c.Dial("tcp", "name.example:80")
			require.ErrorIs(t, err, socks.ErrGeneralFailure, "after %v", pause)
			require.EqualValues(t, 1, conns.Load(), "after %v", pause)
		})
	}
}
