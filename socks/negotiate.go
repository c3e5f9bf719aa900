package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// authenticate sends the greeting with the Client's methods, and runs the sub-negotiation of the method that the
// gateway chooses.
func (h *handshake) authenticate(ctx context.Context, s *scratch) error {
	auths := h.client.auths()
	msg, err := appendGreeting(s.out[:0], auths)
	if err != nil {
		return err
	}
	h.send(msg)
	h.method, err = s.in.ReadMethod()
	if err = h.noteConnected(err); err != nil {
		return readFailed("greeting", err)
	}
	h.chosen = true
	auth, err := chosenAuth(auths, h.method)
	if err != nil {
		return err
	}
	h.hooks.methodChosen(h.method)
	err = h.negotiate(ctx, s, auth)
	h.hooks.authenticated(h.method, err)
	if err == nil {
		h.noteLetIn()
	}
	return err
}

// noteLetIn records that the gateway has let us in. From then on the bound of the whole dial applies.
func (h *handshake) noteLetIn() {
	h.letIn = true
	h.arm()
}

func appendGreeting(b []byte, auths []Auth) ([]byte, error) {
	var methods [255]byte
	if len(auths) > len(methods) {
		return nil, fmt.Errorf("%d authentication methods, more than %d", len(auths), len(methods))
	}
	for i, a := range auths {
		methods[i] = a.Method()
	}
	return wire.AppendMethods(b, methods[:len(auths)]...)
}

// chosenAuth returns the Auth of the method that the gateway chose, or an error if that was not offered.
func chosenAuth(auths []Auth, method byte) (Auth, error) {
	if method == wire.MethodNoAcceptable {
		return nil, ErrNoAcceptableAuth
	}
	for _, a := range auths {
		if a.Method() == method {
			return a, nil
		}
	}
	return nil, notOffered(method)
}

// notOffered returns the error for a gateway that chose a method that was not offered.
func notOffered(method byte) error {
	if method == wire.MethodUserPass {
		return fmt.Errorf("%w: it wants a username and a password", ErrNoAcceptableAuth)
	}
	return fmt.Errorf("%w: it chose method %d, which was not offered", ErrProtocol, method)
}

// negotiate runs the sub-negotiation of auth. It replaces h.conn if auth returns another connection.
func (h *handshake) negotiate(ctx context.Context, s *scratch, auth Auth) error {
	if a, ok := auth.(pipelinedAuth); ok {
		msg, err := a.message(s.out[:0])
		if err != nil {
			return err
		}
		if len(msg) > 0 {
			h.send(msg)
		}
		return a.readAnswer(&s.in)
	}
	conn, err := h.subNegotiate(ctx, auth)
	if err != nil {
		return negotiationFailed(auth.Method(), err)
	}
	h.replaced = !sameConn(conn, h.conn)
	h.conn = conn
	s.in.Reset(conn)
	return nil
}

// subNegotiate calls Negotiate of another package's Auth. The Auth may change the connection's deadlines, so the
// bound is applied by a context, whose end closes the connection.
func (h *handshake) subNegotiate(ctx context.Context, auth Auth) (net.Conn, error) {
	if !h.bounds.letIn.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, h.bounds.letIn)
		defer cancel()
	}
	stop := context.AfterFunc(ctx, h.abort)
	conn, err := auth.Negotiate(ctx, h.conn)
	_ = h.conn.SetDeadline(time.Time{}) // not h.raw's: a tlsConn also keeps the deadline that the Auth has set
	switch {
	case !stop(): // a bound has closed the connection, even if Negotiate succeeded; explain finds out which bound
		return nil, os.ErrDeadlineExceeded
	case err == nil && conn == nil:
		return nil, errors.New("the negotiation returned no connection")
	}
	return conn, err
}
