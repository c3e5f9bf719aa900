package socks_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// diary is a Trace that records its calls.
func diary(t testing.TB, into *[]string) *socks.Trace {
	note := func(format string, args ...any) { *into = append(*into, fmt.Sprintf(format, args...)) }
	return &socks.Trace{
		GatewayConnected: func(gateway net.Addr, took time.Duration, err error) {
			require.Positive(t, took)
			note("connected %s %s, %v", gateway.Network(), gateway, errors.Is(err, socks.ErrGateway))
		},
		MethodChosen:  func(method byte) { note("method %d", method) },
		Authenticated: func(method byte, err error) { note("authenticated by %d, %v", method, err) },
		RequestSent:   func(command string, dst *socks.Addr) { note("%s %s", command, dst) },
		Replied: func(command string, dst, bound *socks.Addr, err error) {
			note("%s %s at %s, %v", command, dst, bound, err)
		},
	}
}

func TestTraceHooksAreCalledInOrder(t *testing.T) {
	g := &testgw.Gateway{
		Users: map[string]string{"user": "pass"},
		Hosts: map[string][]netip.Addr{"name.example": {netip.MustParseAddr("192.0.2.1")}},
		Dial:  toSilence,
	}
	var told []string
	c := clientOf(t, g)
	c.Auth = []socks.Auth{socks.UserPass("user", "pass"), socks.NoAuth}
	c.Handshake = socks.HandshakeStepwise
	c.Trace = diary(t, &told)
	expect := func(want ...string) {
		t.Helper()
		require.Equal(t, want, told)
		told = nil
	}
	connected := "connected tcp " + c.Addr + ", false"

	conn, err := c.Dial("tcp", "name.example:80")
	require.NoError(t, err)
	conn.Close()
	expect(connected, "method 2", "authenticated by 2, <nil>", "CONNECT name.example:80", "CONNECT name.example:80 at 0.0.0.0:0, <nil>")

	_, err = c.Resolve(t.Context(), "name.example")
	require.NoError(t, err)
	expect(connected, "method 2", "authenticated by 2, <nil>", "RESOLVE name.example:0", "RESOLVE name.example:0 at 192.0.2.1:0, <nil>")

	_, err = c.Resolve(t.Context(), "unknown.example")
	require.ErrorIs(t, err, socks.ErrHostUnreachable)
	expect(connected, "method 2", "authenticated by 2, <nil>", "RESOLVE unknown.example:0",
		"RESOLVE unknown.example:0 at :0, host unreachable, or the gateway does not know the name")

	l := bind(t, c, "127.0.0.1:21")
	at := l.Addr().String()
	far, err := net.Dial("tcp", at)
	require.NoError(t, err)
	defer far.Close()
	near, err := l.Accept()
	require.NoError(t, err)
	near.Close()
	expect(connected, "method 2", "authenticated by 2, <nil>", "BIND 127.0.0.1:21", "BIND 127.0.0.1:21 at "+at+", <nil>",
		"BIND 127.0.0.1:21 at "+far.LocalAddr().String()+", <nil>")

	c = clientOf(t, &testgw.Gateway{Users: map[string]string{"user": "another"}})
	c.Auth, c.Trace, c.Handshake = []socks.Auth{socks.UserPass("user", "pass")}, diary(t, &told), socks.HandshakeStepwise
	_, err = c.Dial("tcp", "name.example:80")
	require.ErrorIs(t, err, socks.ErrAuthFailed)
	expect("connected tcp "+c.Addr+", false", "method 2", "authenticated by 2, "+socks.ErrAuthFailed.Error())

	c = &socks.Client{Addr: closedAddr, Trace: diary(t, &told)}
	_, err = c.Dial("tcp", "name.example:80")
	require.ErrorIs(t, err, socks.ErrGateway)
	expect("connected tcp " + c.Addr + ", true")
}

// In a pipelined handshake, RequestSent is called first.
func TestRequestSentComesFirstIfPipelined(t *testing.T) {
	var told []string
	c := clientOf(t, &testgw.Gateway{Dial: toSilence})
	c.Handshake, c.Trace = socks.HandshakePipelined, diary(t, &told)
	conn, err := c.Dial("tcp", "name.example:80")
	require.NoError(t, err)
	conn.Close()
	require.Equal(t, []string{
		"connected tcp " + c.Addr + ", false", "CONNECT name.example:80", "method 0", "authenticated by 0, <nil>",
		"CONNECT name.example:80 at 0.0.0.0:0, <nil>",
	}, told)
}

// The hooks of a context's Trace are called for its dial, after the Client's.
func TestTraceOfAContextIsForItsDial(t *testing.T) {
	var told []string
	note := func(who string) *socks.Trace {
		return &socks.Trace{RequestSent: func(_ string, dst *socks.Addr) { told = append(told, who+" "+dst.String()) }}
	}
	c := clientOf(t, &testgw.Gateway{Dial: toSilence})
	c.Trace = note("client")
	for _, conn := range []func() (io.Closer, error){
		func() (io.Closer, error) {
			return c.DialContext(socks.WithTrace(t.Context(), note("context")), "tcp", "one.example:80")
		},
		func() (io.Closer, error) { return c.DialContext(t.Context(), "tcp", "two.example:80") },
	} {
		conn, err := conn()
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	require.Equal(t, []string{"client one.example:80", "context one.example:80", "client two.example:80"}, told)
}
