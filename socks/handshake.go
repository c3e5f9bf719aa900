package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// handshake is one attempt to get from nothing to the gateway's first reply. The first fields say what to do, outcome
// what came of it; the others are the state in between. It is not safe for concurrent use, but for abort and expire.
type handshake struct {
	question
	client    *Client
	pipelined oneMessage // the one method offered when everything is sent in one write; nil: stepwise
	impatient bool       // end with errSilent when the gateway is silent for too long
	onSpare   bool       // it began on a spare connection, which was let in before
	shut      bool       // the spare was silent while the gateway let no new connection in
	known     bool       // to pipeline: once it has let us in, its silence is the destination's

	outcome

	abort    func()        // closes raw; a context may run it, in a goroutine of its own
	raw      net.Conn      // the transport; closing it ends every wait
	begun    time.Time     // when reaching the gateway was begun
	took     time.Duration // to reach it
	deferred bool          // the first write connects; see fastopen.go
	dialing  deadlineContext
	timer    *time.Timer // ends the waits on a raw that a Forward made
	ticking  bool        // the timer is set
	expired  atomic.Bool // it has run out
	scratch  *scratch    // holds what was read of an answer while the handshake is silent
	silentBy time.Time   // when silence is for too long
	unsent   error       // what a write failed with
	lastBy   time.Time   // when the gateway's last words must have come after that
}

// outcome is what a handshake has come to.
type outcome struct {
	conn      net.Conn // the connection as TLS and the authentication have made it; nil until the gateway is reached
	replaced  bool     // conn is one that the authentication put in its place
	unreached bool     // the first write of a deferred connection did not connect
	chosen    bool     // the gateway has chosen a method
	method    byte     // that it chose
	letIn     bool     // the authentication has succeeded: what is waited for now is the destination
	sent      bool     // the request was sent, or a part of it
	replied   bool     // the gateway has given a reply, whatever that says
	bound     wire.Addr
	err       error
}

// errSilent ends an impatient handshake, which can be finished again.
var errSilent = errors.New("the gateway is silent")

// silent reports whether err is the end of an impatient handshake's patience.
func (h *handshake) silent(err error) bool {
	return h.impatient && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(h.silentBy)
}

// finish runs the handshake, and closes its connection when it fails.
func (h *handshake) finish(ctx context.Context) {
	h.err = h.run(ctx)
	if h.err == errSilent {
		return
	}
	if h.scratch != nil {
		h.scratch.put()
		h.scratch = nil
	}
	if h.err != nil && h.raw != nil {
		h.raw.Close()
	}
}

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

// talk says what is left to be said, and leaves the connection without a deadline.
func (h *handshake) talk(ctx context.Context) error {
	if h.scratch == nil {
		h.scratch = getScratch(h.conn)
	} else {
		h.arm() // it was silent, and is given all the time that there is
	}
	err := h.exchange(ctx, h.scratch)
	if err == errSilent {
		return err
	}
	if late := h.disarm(); err == nil {
		err = late
	}
	return err
}

func (h *handshake) exchange(ctx context.Context, s *scratch) error {
	if h.pipelined != nil {
		return h.judge(h.together(s))
	}
	if !h.letIn {
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
	h.begun = time.Now()
	err := h.connect(ctx)
	if h.deferred {
		return err // connected calls the hook
	}
	h.took = time.Since(h.begun)
	h.hooks.gatewayConnected(h.client, h.took, err)
	return err
}

func (h *handshake) connect(ctx context.Context) (err error) {
	c := h.client
	h.dialing = deadlineContext{ctx, h.bounds.letIn}
	if h.fastOpen {
		h.raw, err = fastOpening.DialContext(&h.dialing, c.network(), c.Addr)
	} else {
		h.raw, err = c.dialTransport(&h.dialing, c.network(), c.Addr)
	}
	h.dialing = deadlineContext{}
	switch {
	case err != nil && isLocal(err):
		return err
	case err != nil:
		return gatewayFailed("gateway unreachable", err)
	}
	h.deferred = h.fastOpen && synStateOf(h.raw).connecting
	if !h.arm() && c.Handshake == HandshakeAuto {
		h.pipelined = nil // without deadlines, silence would not be noticed
	}
	if c.TLS != nil {
		return h.secure(ctx)
	}
	h.conn = h.raw
	return nil
}

// secure runs TLS over the transport.
func (h *handshake) secure(ctx context.Context) error {
	config := h.client.TLS
	switch unix := h.client.network() == "unix"; {
	case config.ServerName != "", unix && config.InsecureSkipVerify:
	case unix:
		return gatewayFailed("TLS", errors.New("a ServerName is needed for a unix socket"))
	default:
		host, _, err := net.SplitHostPort(h.client.Addr)
		if err != nil {
			return gatewayFailed("TLS", err)
		}
		config = config.Clone()
		config.ServerName = host // which is sent as SNI, verified or not
	}
	conn := newTLSConn(h.raw, config)
	err := h.connected(conn.HandshakeContext(ctx))
	switch {
	case h.unreached:
		return err
	case err != nil:
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
	_, err := h.conn.Write(msg)
	if inProgress(err) {
		_, err = h.conn.Write(msg)
	}
	if err != nil && h.unsent == nil {
		h.unsent, h.lastBy = err, time.Now().Add(lastWords)
		if !h.arm() {
			h.raw.Close() // what could be read is not waited for any longer
		}
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
		h.enter()
	}
	return err
}

// enter notes that the gateway has let us in: from now on the bound is that of the whole dial.
func (h *handshake) enter() {
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
	h.sent = true
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
	if h.silent(err) {
		return errSilent
	}
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
