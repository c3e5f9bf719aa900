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
	request
	client    *Client
	pipelined pipelinedAuth // the one method offered when everything is sent in one write; nil: stepwise
	impatient bool          // end with errSilent when the gateway is silent for too long
	onSpare   bool          // it began on a spare connection, which was let in before
	shut      bool          // the spare was silent while the gateway let no new connection in
	known     bool          // to pipeline: once it has let us in, its silence is the destination's

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
		return h.runExchange(ctx)
	}
	stop := context.AfterFunc(ctx, h.abort)
	err := h.runExchange(ctx)
	if !stop() {
		return ctx.Err() // closed, even when the reply was faster
	}
	return err
}

// runExchange says what is left to be said, and leaves the connection without a deadline.
func (h *handshake) runExchange(ctx context.Context) error {
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
		return h.preferWriteError(h.exchangePipelined(s))
	}
	if !h.letIn {
		if err := h.authenticate(ctx, s); err != nil {
			return h.preferWriteError(err)
		}
	}
	if h.cmd == 0 {
		return nil // a spare has nothing to ask yet
	}
	return h.preferWriteError(h.exchangeRequest(s))
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

// preferWriteError prefers a failed write's error to the one of the read that followed, unless that told a reason.
func (h *handshake) preferWriteError(err error) error {
	if h.unsent != nil && (err == nil || errors.Is(err, ErrGateway)) {
		return gatewayFailed("request", h.unsent)
	}
	return err
}

// exchangeRequest sends the request and reads the first reply.
func (h *handshake) exchangeRequest(s *scratch) error {
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
