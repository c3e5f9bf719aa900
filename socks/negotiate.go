package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/sockslib/sockslib/internal/wire"
)

// authenticate offers the Client's methods and runs the one that the gateway chooses.
func (h *handshake) authenticate(ctx context.Context, s *scratch) error {
	auths := h.client.auths()
	msg, err := appendGreeting(s.out[:0], auths)
	if err != nil {
		return err
	}
	h.send(msg)
	h.method, err = s.in.ReadMethod()
	if err = h.connected(err); err != nil {
		return readFailed("greeting", err)
	}
	h.chosen = true
	auth, err := choose(auths, h.method)
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

// noteLetIn notes that the gateway has let us in: from now on the bound is that of the whole dial.
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

// choose finds the method that the gateway chose among those that it was offered.
func choose(auths []Auth, method byte) (Auth, error) {
	if method == wire.MethodNoAcceptable {
		return nil, ErrNoAcceptableAuth
	}
	for _, a := range auths {
		if a.Method() == method {
			return a, nil
		}
	}
	return nil, unoffered(method)
}

func unoffered(method byte) error {
	if method == wire.MethodUserPass {
		return fmt.Errorf("%w: it wants a username and a password", ErrNoAcceptableAuth)
	}
	return fmt.Errorf("%w: it chose method %d, which was not offered", ErrProtocol, method)
}

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

// subNegotiate runs an Auth of another package. The Auth may change the deadlines of the connection, so the
// bound is a context, whose end closes the connection.
func (h *handshake) subNegotiate(ctx context.Context, auth Auth) (net.Conn, error) {
	if !h.bounds.letIn.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, h.bounds.letIn)
		defer cancel()
	}
	stop := context.AfterFunc(ctx, h.abort)
	conn, err := auth.Negotiate(ctx, h.conn)
	switch {
	case !stop(): // closed, even when the negotiation was faster; explain tells letIn from the end of the dial's context
		return nil, os.ErrDeadlineExceeded
	case err == nil && conn == nil:
		return nil, errors.New("the negotiation returned no connection")
	}
	return conn, err
}
