package socks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestEachFailureMatchesItsError(t *testing.T) {
	users := map[string]string{"user": "right"}
	rows := []struct {
		name    string
		gateway testgw.Gateway
		auth    []socks.Auth
		want    []error
		says    string
	}{
		{name: "no acceptable method", gateway: testgw.Gateway{Users: users},
			want: []error{socks.ErrNoAcceptableAuth}},
		{name: "wrong password", gateway: testgw.Gateway{Users: users}, auth: []socks.Auth{socks.UserPass("user", "wrong")},
			want: []error{socks.ErrAuthFailed}},
		{name: "a method that was not offered", gateway: testgw.Gateway{Quirks: testgw.Quirks{Method0Unoffered: true}}, auth: []socks.Auth{socks.UserPass("user", "right")},
			want: []error{socks.ErrProtocol}, says: "not offered"},
		{name: "method 2 unoffered", gateway: testgw.Gateway{Misbehave: answering(testgw.StageMethod, "\x05\x02")},
			want: []error{socks.ErrNoAcceptableAuth}, says: "wants a username and a password"},
		{name: "SOCKS 4", gateway: testgw.Gateway{Misbehave: answering(testgw.StageMethod, "\x00\x5b\x00\x00\x00\x00\x00\x00")},
			want: []error{socks.ErrProtocol}},
		{name: "HTTP", gateway: testgw.Gateway{Misbehave: answering(testgw.StageMethod, "HTTP/1.1 400 Bad Request\r\n\r\n")},
			want: []error{socks.ErrProtocol}, says: "HTTP"},
		{name: "a status of another version", gateway: testgw.Gateway{Users: users, Misbehave: answering(testgw.StageStatus, "\x05\x00")}, auth: []socks.Auth{socks.UserPass("user", "right")},
			want: []error{socks.ErrProtocol}},
		{name: "a reply of another version", gateway: testgw.Gateway{Misbehave: answering(testgw.StageReply, "\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00")},
			want: []error{socks.ErrProtocol}},
		{name: "a reply with an unknown address type", gateway: testgw.Gateway{Misbehave: answering(testgw.StageReply, "\x05\x00\x00\x02\x00\x00\x00\x00\x00\x00")},
			want: []error{socks.ErrProtocol}},
		{name: "hangs up on the methods", gateway: testgw.Gateway{Misbehave: func(int) testgw.Fault { return testgw.Fault{End: testgw.FIN} }},
			want: []error{socks.ErrGateway, io.ErrUnexpectedEOF}, says: "hung up"},
		{name: "hangs up instead of an error reply", gateway: testgw.Gateway{Quirks: testgw.Quirks{NoReplyOnError: true}},
			want: []error{socks.ErrGateway, io.ErrUnexpectedEOF}, says: "hung up"},
		{name: "refused", want: []error{socks.ErrConnectionRefused, syscall.ECONNREFUSED}, says: "connection refused"},
	}
	dst := closedAddr
	for i := range rows {
		row := &rows[i]
		t.Run(row.name, func(t *testing.T) {
			c := clientOf(t, &row.gateway)
			c.Auth = row.auth
			_, err := c.DialContext(t.Context(), "tcp", dst)
			requireClasses(t, err, row.want...)
			requireOpError(t, err, "socks connect", "tcp", c.Addr, dst)
			require.ErrorContains(t, err, row.says)
			var timeout net.Error
			require.True(t, errors.As(err, &timeout) && !timeout.Timeout())
		})
	}
}

func TestErrorsAreOpErrors(t *testing.T) {
	c := &socks.Client{Addr: closedAddr}
	ctx := t.Context()
	_, err := c.DialContext(ctx, "tcp4", "name.example:80")
	requireOpError(t, err, "socks connect", "tcp4", c.Addr, "name.example:80")
	_, err = c.Listen(ctx, "tcp6", "[2001:db8::1]:21")
	requireOpError(t, err, "socks bind", "tcp6", c.Addr, "[2001:db8::1]:21")
	_, err = c.DialContext(ctx, "udp", "name.example:53")
	requireOpError(t, err, "socks associate", "udp", c.Addr, "name.example:53")
	_, err = c.ListenPacket(ctx, "udp4", "")
	require.EqualValues(t, "socks associate", err.(*net.OpError).Op)
	require.Nil(t, err.(*net.OpError).Addr)
	require.NotContains(t, err.Error(), "nil")
}

// A Client that could panic later is an error before anything is sent.
func TestNilInAClientIsAnError(t *testing.T) {
	g := testgw.Start(t, new(testgw.Gateway))
	for want, c := range map[string]*socks.Client{
		"nil Auth":              {Auth: []socks.Auth{nil}},
		"nil Client as Forward": {Forward: (*socks.Client)(nil)},
		"nil Group as Forward":  {Forward: (*socks.Group)(nil)},
	} {
		c.Addr = g.Addr().String()
		for _, auth := range [][]socks.Auth{c.Auth, append([]socks.Auth{socks.NoAuth}, c.Auth...)} {
			c.Auth = auth
			for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
				c.Handshake = handshake
				_, err := c.Dial("tcp", "name.example:80")
				requireOpError(t, err, "socks connect", "tcp", c.Addr, "name.example:80")
				require.ErrorContains(t, err, want)
			}
		}
		require.EqualValues(t, 6, c.Stats().InvalidRequests)
	}
	require.Empty(t, g.Requests())
}

func TestDeadGatewayIsErrGateway(t *testing.T) {
	_, roots := certified()
	silent := testgw.Start(t, new(testgw.Gateway)) // it waits for a SOCKS greeting, and receives a TLS one
	tests := map[string]struct {
		client *socks.Client
		cause  []error
	}{
		"nothing listens":    {&socks.Client{Addr: closedAddr}, []error{syscall.ECONNREFUSED}},
		"no socket":          {&socks.Client{Network: "unix", Addr: need.SocketPath(t)}, []error{syscall.ENOENT, fs.ErrNotExist}},
		"no TLS":             {&socks.Client{Addr: silent.Addr().String(), TLS: roots}, nil},
		"not an address":     {&socks.Client{Addr: "127.0.0.1"}, nil},
		"no address":         {&socks.Client{}, nil},
		"dead behind a live": {&socks.Client{Addr: closedAddr, Forward: clientOf(t, new(testgw.Gateway))}, []error{syscall.ECONNREFUSED, socks.ErrConnectionRefused}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.client.Dial("tcp", "name.example:80")
			requireClasses(t, err, append(test.cause, socks.ErrGateway)...)
		})
	}
	_, err := (&socks.Client{Network: "udp", Addr: "127.0.0.1:1080"}).Dial("tcp", "name.example:80")
	require.ErrorAs(t, err, new(net.UnknownNetworkError))
}

// A Client does not use a gateway whose certificate is not trusted.
func TestUntrustedGatewayIsNotUsed(t *testing.T) {
	c := clientOverTLS(t, &testgw.Gateway{Users: map[string]string{"user": "right"}})
	for name, refusal := range map[string]error{"other.example": socks.ErrGateway, "example.com": socks.ErrAuthFailed} {
		t.Run(name, func(t *testing.T) {
			config := c.TLS.Clone()
			config.ServerName = name
			named := &socks.Client{Addr: c.Addr, TLS: config, Auth: []socks.Auth{socks.UserPass("user", "wrong")}}
			_, err := named.Dial("tcp", "name.example:80")
			require.ErrorIs(t, err, refusal)
			if refusal == socks.ErrGateway {
				require.ErrorContains(t, err, "certificate")
			}
		})
	}
}

// Each REP is a distinct error.
func TestEachReplyIsADistinctError(t *testing.T) {
	also := map[socks.Reply][]error{
		socks.ErrNotAllowed:              {syscall.EACCES, fs.ErrPermission},
		socks.ErrNetworkUnreachable:      {syscall.ENETUNREACH},
		socks.ErrHostUnreachable:         {syscall.EHOSTUNREACH},
		socks.ErrConnectionRefused:       {syscall.ECONNREFUSED},
		socks.ErrTTLExpired:              {syscall.ETIMEDOUT},
		socks.ErrCommandNotSupported:     {errors.ErrUnsupported},
		socks.ErrAddressTypeNotSupported: {errors.ErrUnsupported},
	}
	var rep atomic.Uint32
	c := clientOf(t, &testgw.Gateway{Misbehave: func(int) testgw.Fault {
		return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
			if at == testgw.StageReply {
				b[1] = byte(rep.Load())
			}
			return b
		}}
	}})
	c.Handshake = socks.HandshakeStepwise
	dst := closedAddr
	texts := make(map[string]socks.Reply)
	for r := 1; r <= 255; r++ {
		rep.Store(uint32(r))
		reply := socks.Reply(r)
		_, err := c.Dial("tcp", dst)
		requireClasses(t, err, append(also[reply], reply)...)
		var got socks.Reply
		require.ErrorAs(t, err, &got)
		require.Equal(t, reply, got)
		require.Equal(t, reply == socks.ErrTTLExpired || reply == socks.ErrOnionIntroTimedOut, err.(net.Error).Timeout(), "%v", err)
		require.NotContains(t, texts, err.Error(), "each has a distinct text")
		texts[err.Error()] = reply
	}
	rep.Store(0)
	conn, err := c.Dial("tcp", dst)
	require.NoError(t, err, "only 0 grants")
	conn.Close()
}

// The REP byte decides, whatever follows it.
func TestRefusalMayHaveAnyLength(t *testing.T) {
	for _, quirks := range []testgw.Quirks{
		{ShortErrorReply: 2}, {ShortErrorReply: 3}, {ShortErrorReply: 4}, {ShortErrorReply: 10},
		{NameInErrorReply: true}, {NameInErrorReply: true, ShortErrorReply: 5},
	} {
		t.Run(fmt.Sprintf("%+v", quirks), func(t *testing.T) {
			g := &testgw.Gateway{Quirks: quirks, Hosts: map[string][]netip.Addr{"name.example": {loopback4}}}
			_, port, err := net.SplitHostPort(closedAddr)
			require.NoError(t, err)
			for _, host := range []string{"127.0.0.1", "name.example"} {
				_, err := clientOf(t, g).Dial("tcp", net.JoinHostPort(host, port))
				requireClasses(t, err, socks.ErrConnectionRefused, syscall.ECONNREFUSED)
			}
		})
	}
}

// If the gateway hangs up after any of its bytes, that is an error of the gateway, never a success.
func TestHangUpAtEachByteIsErrGateway(t *testing.T) {
	const all = 2 + 2 + 10
	for _, end := range []testgw.End{testgw.FIN, testgw.RST} {
		for after := range all {
			g := &testgw.Gateway{
				Users:     map[string]string{"user": "pass"},
				Misbehave: func(int) testgw.Fault { return testgw.Fault{End: end, After: after} },
			}
			c := clientOf(t, g)
			c.Auth = []socks.Auth{socks.UserPass("user", "pass")}
			_, err := c.Dial("tcp", listen(t).Addr().String())
			require.ErrorIs(t, err, socks.ErrGateway, "%d bytes", after)
			if end == testgw.FIN {
				requireClasses(t, err, socks.ErrGateway, io.ErrUnexpectedEOF)
			}
		}
	}
}

// Gateways send the same reply for an unknown name and for an unreachable host.
func TestErrorSaysThatTheNameMayBeUnknown(t *testing.T) {
	c := clientOf(t, new(testgw.Gateway))
	_, err := c.Dial("tcp", "unknown.example:80")
	requireClasses(t, err, socks.ErrHostUnreachable, syscall.EHOSTUNREACH)
	require.ErrorContains(t, err, "does not know the name")
	require.ErrorContains(t, err, "unknown.example:80")
}

// Errors of this machine do not match ErrGateway.
func TestLocalErrorIsNotTheGateways(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		c := &socks.Client{Addr: closedAddr, Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", errno)}
		})}
		_, err := c.Dial("tcp", "x.example:80")
		requireClasses(t, err, errno)
	}
}
