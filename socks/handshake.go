package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// handshake is the way of one connection from nothing to the gateway's first reply.
type handshake struct {
	question
	client    *Client
	pipelined oneMessage // the one method offered when everything is sent together; nil: step by step

	raw      net.Conn      // the transport; closing it ends every wait
	conn     net.Conn      // what TLS and the authentication made of raw
	took     time.Duration // that the transport needed
	reached  chan struct{} // closed when the transport is up; nil: nobody waits for it
	unsent   error         // what a write failed with
	method   byte          // that the gateway chose
	replaced bool          // conn is one that the authentication put in its place
	accepted bool          // it has let us in: what is waited for now is the destination
	replied  bool          // it has given a reply, whatever that says
	bound    wire.Addr
	err      error
}

// run fills in the handshake's outcome.
func (h *handshake) run(ctx context.Context) error {
	if h.conn == nil {
		if err := h.reach(ctx); err != nil {
			return err
		}
	}
	if ctx.Done() == nil {
		return h.talk(ctx)
	}
	stop := context.AfterFunc(ctx, h.abort)
	err := h.talk(ctx)
	if !stop() {
		return ctx.Err() // closed, even when the reply was faster
	}
	return err
}

// abort runs at most once, in a goroutine of the context's that ends with it.
func (h *handshake) abort() { h.raw.Close() }

// talk says what is left to be said.
func (h *handshake) talk(ctx context.Context) error {
	s := getScratch(h.conn)
	defer s.put()
	if h.pipelined != nil {
		return h.judge(h.together(s))
	}
	if !h.accepted {
		if err := h.authenticate(ctx, s); err != nil {
			return h.judge(err)
		}
	}
	if h.cmd == 0 {
		return nil // a spare has nothing to ask yet
	}
	return h.judge(h.ask(s))
}

// reach opens the transport to the gateway.
func (h *handshake) reach(ctx context.Context) error {
	begun := time.Now()
	err := h.connect(ctx)
	h.took = time.Since(begun)
	if err == nil && h.reached != nil {
		close(h.reached)
	}
	h.hooks.gatewayConnected(h.client, h.took, err)
	return err
}

// direct reaches gateways and relays without a Forward.
var direct net.Dialer

func (h *handshake) connect(ctx context.Context) (err error) {
	c := h.client
	if c.Forward != nil {
		h.raw, err = c.Forward.DialContext(ctx, c.network(), c.Addr)
	} else {
		h.raw, err = direct.DialContext(ctx, c.network(), c.Addr)
	}
	if err != nil {
		return gatewayFailed("gateway unreachable", err)
	}
	h.conn = h.raw
	if c.TLS != nil {
		return h.secure(ctx)
	}
	return nil
}

// secure runs TLS over the transport.
func (h *handshake) secure(ctx context.Context) error {
	config := h.client.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		host, _, err := net.SplitHostPort(h.client.Addr)
		if err != nil {
			return gatewayFailed("TLS", errors.New("a ServerName is needed for a unix socket"))
		}
		config = config.Clone()
		config.ServerName = host
	}
	conn := newTLSConn(h.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return gatewayFailed("TLS", err)
	}
	h.conn = conn
	return nil
}

// lastWords is how long an answer is waited for after a write has failed.
const lastWords = time.Second

// send writes a message at once. That it fails is judged after the next read: a gateway that refuses and
// resets the connection has often sent its reason before.
func (h *handshake) send(msg []byte) {
	if _, err := h.conn.Write(msg); err != nil && h.unsent == nil {
		h.unsent = err
		h.raw.SetReadDeadline(time.Now().Add(lastWords))
	}
}

// judge prefers a failed write's error to the one of the read that followed, unless that told a reason.
func (h *handshake) judge(err error) error {
	if h.unsent != nil && (err == nil || errors.Is(err, ErrGateway)) {
		return gatewayFailed("request", h.unsent)
	}
	return err
}

// authenticate offers the Client's methods and runs the one that the gateway chooses.
func (h *handshake) authenticate(ctx context.Context, s *scratch) error {
	auths := h.client.auths()
	msg, err := appendGreeting(s.out[:0], auths)
	if err != nil {
		return err
	}
	h.send(msg)
	if h.method, err = s.in.ReadMethod(); err != nil {
		return readFailed("greeting", err)
	}
	auth, err := choose(auths, h.method)
	if err != nil {
		return err
	}
	h.hooks.methodChosen(h.method)
	err = h.negotiate(ctx, s, auth)
	h.accepted = err == nil
	h.hooks.authenticated(h.method, err)
	return err
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
	return fmt.Errorf("%w: it chose method %d, which was not offered", ErrProtocol, method)
}

func (h *handshake) negotiate(ctx context.Context, s *scratch, auth Auth) error {
	if a, ok := auth.(oneMessage); ok {
		msg, err := a.message(s.out[:0])
		if err != nil {
			return err
		}
		if len(msg) > 0 {
			h.send(msg)
		}
		return a.readAnswer(&s.in)
	}
	conn, err := auth.Negotiate(ctx, h.conn)
	if err != nil {
		return fmt.Errorf("authentication method %d: %w", auth.Method(), err)
	}
	h.replaced = !sameConn(conn, h.conn)
	h.conn = conn
	s.in.Reset(conn)
	return nil
}

// ask sends the request and reads the first reply.
func (h *handshake) ask(s *scratch) error {
	if h.replaced && h.cmd == wire.Associate {
		if err := h.protectRelay(); err != nil {
			return err
		}
	}
	msg, err := h.appendRequest(s.out[:0])
	if err != nil {
		return err
	}
	h.send(msg)
	h.hooks.requestSent(h.cmd, &h.dst)
	return h.readReply(s)
}

func (h *handshake) appendRequest(b []byte) ([]byte, error) {
	dst := h.dst.wire()
	if dst == (wire.Addr{}) {
		dst.IP = wildcard(h.raw)
	}
	return wire.AppendRequest(b, h.cmd, dst)
}

func (h *handshake) readReply(s *scratch) (err error) {
	h.bound, h.replied, err = readReply(&s.in, &h.dst)
	h.hooks.replied(h.cmd, &h.dst, h.bound, err)
	return err
}

// readReply reads a reply. It reports whether there was one, although it be a refusal.
func readReply(in *wire.Reader, dst *Addr) (bound wire.Addr, replied bool, err error) {
	rep, bound, err := in.ReadReply()
	switch {
	case err != nil:
		return wire.Addr{}, false, readFailed("request", err)
	case rep != wire.Succeeded:
		return wire.Addr{}, true, replyFailed(rep, dst)
	case !printable(bound.Name):
		return wire.Addr{}, false, fmt.Errorf("%w: its address is a name with a character that no name has", ErrProtocol)
	case in.Buffered() != 0:
		return wire.Addr{}, false, fmt.Errorf("%w: its reply is too short", ErrProtocol)
	}
	return bound, true, nil
}
