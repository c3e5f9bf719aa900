package socks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// request reaches the gateway, authenticates, sends one request and waits for its first reply. The
// connection it returns has given up nothing of what follows the reply. A zero dst is the wildcard of
// the family in which the gateway was reached.
func (c *Client) request(ctx context.Context, cmd wire.Command, dst *Addr) (net.Conn, wire.Addr, error) {
	if err := c.check(); err != nil {
		return nil, wire.Addr{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, wire.Addr{}, err
	}
	limit := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	h := handshake{client: c, cmd: cmd, dst: dst}
	bound, err := h.run(limit)
	if err != nil {
		if h.raw != nil {
			h.raw.Close()
		}
		return nil, wire.Addr{}, contextFailed(ctx, limit, h.asked, err)
	}
	return h.conn, bound, nil
}

// handshake is the way of one connection from nothing to the gateway's first reply.
type handshake struct {
	client *Client
	cmd    wire.Command
	dst    *Addr
	raw    net.Conn // the transport; closing it ends every wait
	conn   net.Conn // what TLS and the authentication made of raw
	asked  bool     // the request went out: the gateway is there, and has accepted us
	unsent error    // what a write failed with
}

func (h *handshake) run(ctx context.Context) (wire.Addr, error) {
	if err := h.reach(ctx); err != nil {
		return wire.Addr{}, err
	}
	if ctx.Done() == nil {
		return h.stepwise(ctx)
	}
	stop := context.AfterFunc(ctx, func() { h.raw.Close() }) // runs at most once, and ends with that Close
	bound, err := h.stepwise(ctx)
	if !stop() {
		return wire.Addr{}, ctx.Err() // closed, even when the reply was faster
	}
	return bound, err
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

// reach opens the transport to the gateway.
func (h *handshake) reach(ctx context.Context) (err error) {
	c := h.client
	if t := c.Trace; t != nil && t.GatewayConnected != nil {
		defer func(begun time.Time) { t.GatewayConnected(c.source(), time.Since(begun), err) }(time.Now())
	}
	if c.Forward != nil {
		h.raw, err = c.Forward.DialContext(ctx, c.network(), c.Addr)
	} else {
		var d net.Dialer
		h.raw, err = d.DialContext(ctx, c.network(), c.Addr)
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
	conn := tls.Client(h.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return gatewayFailed("TLS", err)
	}
	h.conn = conn
	return nil
}

// stepwise sends each message in one write of its own and waits for its answer.
func (h *handshake) stepwise(ctx context.Context) (wire.Addr, error) {
	s := getScratch(h.conn)
	defer s.put()
	if err := h.authenticate(ctx, s); err != nil {
		return wire.Addr{}, h.judge(err)
	}
	bound, err := h.ask(s)
	return bound, h.judge(err)
}

// authenticate offers the Client's methods and runs the one that the gateway chooses.
func (h *handshake) authenticate(ctx context.Context, s *scratch) error {
	auths := h.client.auths()
	msg, err := appendGreeting(s.out[:0], auths)
	if err != nil {
		return err
	}
	h.send(msg)
	method, err := s.in.ReadMethod()
	if err != nil {
		return readFailed("greeting", err)
	}
	auth, err := choose(auths, method)
	if err != nil {
		return err
	}
	t := h.client.Trace
	if t != nil && t.MethodChosen != nil {
		t.MethodChosen(method)
	}
	err = h.negotiate(ctx, s, auth)
	if t != nil && t.Authenticated != nil {
		t.Authenticated(method, err)
	}
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
	return nil, fmt.Errorf("%w: it chose method %d, which was not offered", ErrProtocol, method)
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
	h.conn = conn
	s.in.Reset(conn)
	return nil
}

// ask sends the request and reads the first reply.
func (h *handshake) ask(s *scratch) (bound wire.Addr, err error) {
	dst := h.dst.wire()
	if dst == (wire.Addr{}) {
		dst.IP = wildcard(h.raw.RemoteAddr())
	}
	msg, err := wire.AppendRequest(s.out[:0], h.cmd, dst)
	if err != nil {
		return wire.Addr{}, err
	}
	h.send(msg)
	h.asked = h.unsent == nil
	t := h.client.Trace
	if t != nil && t.RequestSent != nil {
		t.RequestSent(h.cmd.String(), h.dst)
	}
	bound, err = readReply(&s.in, h.dst)
	if t != nil && t.Replied != nil {
		a := addrFrom(h.dst.Net, bound)
		t.Replied(h.cmd.String(), h.dst, &a, err)
	}
	return bound, err
}

func readReply(in *wire.Reader, dst *Addr) (wire.Addr, error) {
	rep, bound, err := in.ReadReply()
	switch {
	case err != nil:
		return wire.Addr{}, readFailed("request", err)
	case rep != wire.Succeeded:
		return wire.Addr{}, replyFailed(rep, dst)
	case in.Buffered() != 0:
		return wire.Addr{}, fmt.Errorf("%w: its reply is too short", ErrProtocol)
	}
	return bound, nil
}
