package socks_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// A Client offers the configured methods in order, and runs the one that the gateway chooses.
func TestClientOffersItsMethodsInOrder(t *testing.T) {
	users := map[string]string{"user": "pass"}
	right := socks.UserPass("user", "pass")
	tests := map[string]struct {
		gateway *testgw.Gateway
		auth    []socks.Auth
		user    string // the user that the gateway authenticated
		err     error
	}{
		"nothing configured":         {&testgw.Gateway{}, nil, "", nil},
		"none":                       {&testgw.Gateway{}, []socks.Auth{socks.NoAuth}, "", nil},
		"user":                       {&testgw.Gateway{Users: users}, []socks.Auth{right}, "user", nil},
		"user, where none is wanted": {&testgw.Gateway{}, []socks.Auth{right}, "", socks.ErrNoAcceptableAuth},
		"user or none, none wanted":  {&testgw.Gateway{}, []socks.Auth{right, socks.NoAuth}, "", nil},
		"none or user, user wanted":  {&testgw.Gateway{Users: users}, []socks.Auth{socks.NoAuth, right}, "user", nil},
		"none, where user is wanted": {&testgw.Gateway{Users: users}, nil, "", socks.ErrNoAcceptableAuth},
		"none, where it is optional": {&testgw.Gateway{Users: users, Optional: true}, nil, "", nil},
		"longest":                    {&testgw.Gateway{Users: map[string]string{longest: longest}}, []socks.Auth{socks.UserPass(longest, longest)}, longest, nil},
		"empty password":             {&testgw.Gateway{Users: map[string]string{"user": ""}}, []socks.Auth{socks.UserPass("user", "")}, "user", nil},
		"bytes that are not letters": {&testgw.Gateway{Users: map[string]string{"\x00\xff:@": "\r\n%"}}, []socks.Auth{socks.UserPass("\x00\xff:@", "\r\n%")}, "\x00\xff:@", nil},
		"wrong user":                 {&testgw.Gateway{Users: users}, []socks.Auth{socks.UserPass("User", "pass")}, "", socks.ErrAuthFailed},
		"wrong password, or none":    {&testgw.Gateway{Users: users}, []socks.Auth{socks.UserPass("user", "pas"), socks.NoAuth}, "", socks.ErrAuthFailed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := test.gateway
			g.Dial = toSilence
			c := clientOf(t, g)
			c.Auth = test.auth
			conn, err := c.Dial("tcp", "name.example:80")
			if test.err != nil {
				requireClasses(t, err, test.err)
				require.Empty(t, g.Requests())
				return
			}
			require.NoError(t, err)
			defer conn.Close()
			require.Equal(t, test.user, g.Requests()[0].User)
		})
	}
}

// Credentials that RFC 1929 cannot encode are an error before the Client connects to the gateway.
func TestCredentialsThatCannotBeSentAreAnError(t *testing.T) {
	c := func(auth ...socks.Auth) *socks.Client {
		return &socks.Client{Addr: "127.0.0.1:1", Auth: auth, Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialed")
			return nil, net.ErrClosed
		})}
	}
	for name, auth := range map[string]socks.Auth{
		"no user":       socks.UserPass("", "pass"),
		"long user":     socks.UserPass(longest+"x", "pass"),
		"long password": socks.UserPass("user", longest+"x"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, request := range commands {
				err := request(t.Context(), c(socks.NoAuth, auth))
				require.Error(t, err)
				require.NotErrorIs(t, err, socks.ErrGateway)
				require.NotContains(t, err.Error(), longest)
			}
		})
	}
	many := make([]socks.Auth, 256)
	for i := range many {
		many[i] = socks.NoAuth
	}
	clientOfMany := clientOf(t, new(testgw.Gateway))
	clientOfMany.Auth = many
	clientOfMany.Handshake = socks.HandshakeStepwise
	_, err := clientOfMany.Dial("tcp", "name.example:80")
	require.ErrorContains(t, err, "256")
}

// tlsAuth is a method of another package that protects the connection, as GSSAPI may.
type tlsAuth struct{ config *tls.Config }

func (tlsAuth) Method() byte { return 0x86 }

func (a tlsAuth) Negotiate(ctx context.Context, c net.Conn) (net.Conn, error) {
	secure := tls.Client(c, a.config)
	return secure, secure.HandshakeContext(ctx)
}

// lateAuth needs no messages, and leaves a deadline that has passed.
type lateAuth struct{}

func (lateAuth) Method() byte { return wire.MethodNone }

func (lateAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) {
	return c, c.SetDeadline(time.Unix(1, 0))
}

// A deadline that an Auth leaves on the connection ends with its negotiation.
func TestDeadlineOfAnAuthEndsWithItsNegotiation(t *testing.T) {
	for way, clientOf := range ways {
		t.Run(way, func(t *testing.T) {
			c := clientOf(t, new(testgw.Gateway))
			c.Auth = []socks.Auth{lateAuth{}}
			near, far := connect(t, c, listen(t))
			go io.Copy(far, far) // ends with the stream
			_, err := near.Write([]byte("x"))
			require.NoError(t, err)
			_, err = io.ReadFull(near, make([]byte, 1))
			require.NoError(t, err)
		})
	}
}

// failingAuth is a method whose Negotiate fails.
type failingAuth struct{ err error }

func (failingAuth) Method() byte { return 0x80 }
func (a failingAuth) Negotiate(context.Context, net.Conn) (net.Conn, error) {
	return nil, a.err
}

// An Auth may wrap the connection; the request and the stream use the connection that it returned.
func TestAuthMayWrapTheConnection(t *testing.T) {
	server, client := certified()
	client = client.Clone()
	client.ServerName = "example.com"
	c := &socks.Client{
		Addr: "gateway.example:1080",
		Auth: []socks.Auth{tlsAuth{client}},
		Forward: chooses(0x86, func(c net.Conn) net.Conn {
			return tls.Server(c, server)
		}),
	}
	conn, err := c.Dial("tcp", "name.example:80")
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("in TLS"))
	require.NoError(t, err)
	buf := make([]byte, 6)
	_, err = io.ReadFull(conn, buf)
	require.NoError(t, err)
	require.Equal(t, "in TLS", string(buf))
}

func TestErrorOfAnAuthIsTheDials(t *testing.T) {
	why := errors.New("no ticket")
	c := &socks.Client{
		Addr:    "gateway.example:1080",
		Auth:    []socks.Auth{socks.NoAuth, failingAuth{why}},
		Forward: chooses(0x80, func(c net.Conn) net.Conn { return c }),
	}
	_, err := c.Dial("tcp", "name.example:80")
	require.ErrorIs(t, err, why)
	require.NotErrorIs(t, err, socks.ErrGateway)
}

// An Auth of another package may use a UserPass.
func TestUserPassNegotiatesForAnotherAuth(t *testing.T) {
	for status, want := range map[byte]error{0: nil, 1: socks.ErrAuthFailed, 255: socks.ErrAuthFailed} {
		near, far := net.Pipe()
		read := make(chan string, 1)
		go func() { // ends with one message each way
			defer far.Close()
			user, password, _ := wire.NewReader(far).ReadUserPass()
			read <- user + " " + password
			far.Write([]byte{1, status})
		}()
		auth := socks.UserPass("user", "pass")
		require.EqualValues(t, wire.MethodUserPass, auth.Method())
		c, err := auth.Negotiate(t.Context(), near)
		if want != nil {
			require.ErrorIs(t, err, want)
		} else {
			require.NoError(t, err)
			require.Equal(t, near, c)
		}
		require.Equal(t, "user pass", <-read)
		near.Close()
	}
	require.Zero(t, socks.NoAuth.Method())
}

// Network errors that an Auth returns match ErrGateway, and an Auth may set deadlines.
func TestNetworkErrorOfAnAuthIsTheGateways(t *testing.T) {
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
func TestAuthOfSeveralMessagesIsNegotiatedStepwise(t *testing.T) {
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
