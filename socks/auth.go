package socks

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/sockslib/sockslib/internal/wire"
)

// Auth is one authentication method, RFC 1928, section 3. Implementations are safe for concurrent use.
type Auth interface {
	// Method is the octet that is offered and chosen.
	Method() byte
	// Negotiate runs the method's sub-negotiation on c, right after the gateway chose it, and returns the
	// connection to go on with: c, or one that protects c. The end of ctx closes c.
	//
	// A connection that is not c may have the method ProtectRelay(net.Conn) net.Conn. It is given the
	// socket to the relay of a UDP ASSOCIATE, where each Read and Write is one datagram, and returns what
	// the datagrams, SOCKS header included, go through. Without it UDP ASSOCIATE is an error that matches
	// errors.ErrUnsupported: what was negotiated to be protected is never sent in clear text.
	Negotiate(ctx context.Context, c net.Conn) (net.Conn, error)
}

// NoAuth is method 0: nothing is negotiated.
var NoAuth Auth = noAuth{}

type noAuth struct{}

func (noAuth) Method() byte                                              { return wire.MethodNone }
func (noAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) { return c, nil }
func (noAuth) message(b []byte) ([]byte, error)                          { return b, nil }
func (noAuth) answerLen() int                                            { return 0 }
func (noAuth) readAnswer(*wire.Reader) error                             { return nil }
func (noAuth) String() string                                            { return "socks.NoAuth" }

// UserPass is RFC 1929. The username has 1 to 255 octets and the password at most 255; others are an
// error at the dial, before anything is sent. Both cross the network to the gateway as they are, unless
// the Client has a TLS. The secret never prints, under any verb, in JSON or in slog.
func UserPass(username, password string) Auth {
	appendTo := func(b []byte) ([]byte, error) { return wire.AppendUserPass(b, username, password) }
	_, err := appendTo(nil)
	return userPass{appendTo, err}
}

// userPass keeps the secret in a closure, where no printing finds it.
type userPass struct {
	appendTo func([]byte) ([]byte, error)
	invalid  error // why it cannot be sent
}

func (u userPass) Method() byte                     { return wire.MethodUserPass }
func (u userPass) message(b []byte) ([]byte, error) { return u.appendTo(b) }
func (u userPass) answerLen() int                   { return wire.StatusLen }

func (u userPass) readAnswer(r *wire.Reader) error {
	status, err := r.ReadStatus()
	if err != nil {
		return readFailed("authentication", err)
	}
	if status != wire.StatusSuccess {
		return ErrAuthFailed
	}
	return nil
}

// Negotiate makes a UserPass usable by an Auth that goes on from it.
func (u userPass) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) {
	s := getScratch(c)
	defer s.put()
	msg, err := u.appendTo(s.out[:0])
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(msg); err != nil {
		return nil, gatewayFailed("authentication", err)
	}
	return c, u.readAnswer(&s.in)
}

const redacted = "socks.UserPass(…)"

func (userPass) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redacted) }
func (userPass) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (userPass) LogValue() slog.Value         { return slog.StringValue(redacted) }

// pipelinedAuth is an Auth of one message each way, or none. Its part of the handshake can be sent
// together with what goes before and after it.
type pipelinedAuth interface {
	Auth
	message(b []byte) ([]byte, error) // appended to b
	answerLen() int
	readAnswer(r *wire.Reader) error
}

// scratch is what a handshake reads and writes with.
type scratch struct {
	in  wire.Reader
	out []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{out: make([]byte, 0, 1024)} }}

func getScratch(c net.Conn) *scratch {
	s := scratches.Get().(*scratch)
	s.in.Reset(c)
	return s
}

// put clears what was written: it may have been a password.
func (s *scratch) put() {
	s.in.Reset(nil)
	clear(s.out[:cap(s.out)])
	scratches.Put(s)
}
