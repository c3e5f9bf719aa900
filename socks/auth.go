package socks

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/sockslib/sockslib/internal/wire"
)

// Auth is an authentication method (RFC 1928, section 3). Implementations must be safe for concurrent use.
type Auth interface {
	// Method returns the method's number, which is a byte of the greeting and of the gateway's choice.
	Method() byte
	// Negotiate runs the method's sub-negotiation on c after the gateway has chosen the method. It returns the
	// connection for the request and the stream: c, or a connection that protects c. The end of ctx closes c.
	//
	// A returned connection other than c may have the method ProtectRelay(net.Conn) net.Conn. Its argument is the
	// socket to the relay of a UDP ASSOCIATE, on which each Read and Write is one datagram. It returns the
	// connection on which datagrams, including their SOCKS header, are read and written. Without this method,
	// UDP ASSOCIATE fails with an error that matches errors.ErrUnsupported, because datagrams would be sent in
	// clear text.
	Negotiate(ctx context.Context, c net.Conn) (net.Conn, error)
}

// NoAuth is method 0, NO AUTHENTICATION REQUIRED. It has no sub-negotiation.
var NoAuth Auth = noAuth{}

type noAuth struct{}

func (noAuth) Method() byte                                              { return wire.MethodNone }
func (noAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) { return c, nil }
func (noAuth) message(b []byte) ([]byte, error)                          { return b, nil }
func (noAuth) answerLen() int                                            { return 0 }
func (noAuth) readAnswer(*wire.Reader) error                             { return nil }
func (noAuth) String() string                                            { return "socks.NoAuth" }

// UserPass returns method 2, username and password (RFC 1929). The username must have 1 to 255 bytes and the
// password at most 255 bytes; otherwise every dial fails before anything is sent. Both are sent to the gateway in
// clear text unless Client.TLS is set. Neither is printed by any verb of package fmt, nor in JSON or slog.
func UserPass(username, password string) Auth {
	appendTo := func(b []byte) ([]byte, error) { return wire.AppendUserPass(b, username, password) }
	_, err := appendTo(nil)
	return userPass{appendTo, err}
}

// userPass keeps the username and password in a closure, which cannot be printed.
type userPass struct {
	appendTo func([]byte) ([]byte, error)
	invalid  error // why the username and password cannot be sent; nil: they can
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

// Negotiate runs the sub-negotiation for another Auth that wraps this one. A Client uses message and readAnswer.
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

const redactedUserPass = "socks.UserPass(…)"

func (userPass) Format(f fmt.State, _ rune)   { fmt.Fprint(f, redactedUserPass) }
func (userPass) MarshalText() ([]byte, error) { return []byte(redactedUserPass), nil }
func (userPass) LogValue() slog.Value         { return slog.StringValue(redactedUserPass) }

// pipelinedAuth is an Auth whose sub-negotiation is one message and one answer, or nothing. The message can be
// sent in one write with the greeting and the request.
type pipelinedAuth interface {
	Auth
	message(b []byte) ([]byte, error) // appends the message to b
	answerLen() int                   // in bytes
	readAnswer(r *wire.Reader) error
}

// scratch has the reader and the write buffer of a handshake.
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

// put returns s to the pool. It clears the write buffer, which may have held a password.
func (s *scratch) put() {
	s.in.Reset(nil)
	clear(s.out[:cap(s.out)])
	scratches.Put(s)
}
