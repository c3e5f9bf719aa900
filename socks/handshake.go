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

// handshake is one attempt at a request, from connecting to the gateway's first reply. The fields before outcome
// are its input, outcome is its result, and the fields after are its state. Only abort, expire and the Client's
// alarm run concurrently with it.
type handshake struct {
	request
	client    *Client
	pipelined pipelinedAuth // the one method offered in a pipelined handshake; nil: stepwise
	impatient bool          // end with errSilent if the gateway is silent until silentBy
	onSpare   bool          // it sends its request on a spare connection
	known     bool          // the gateway is known to pipeline, so silence after it has let us in is the destination's

	outcome

	abort    func()        // closes raw; the end of a context calls it in a goroutine
	raw      net.Conn      // the transport; closing it ends all reads and writes
	begun    time.Time     // when connecting began
	took     time.Duration // time to connect, with TLS; with Fast Open, the round trip time
	deferred bool          // the first write sends the SYN; see fastopen.go
	dialing  deadlineContext
	rung     bool        // raw has a deadline, which has passed unless it is of a synctest bubble; guarded by the alarm
	timer    *time.Timer // closes a raw that a Forward made
	ticking  bool        // the timer is set
	expired  atomic.Bool // the timer has expired
	scratch  *scratch    // kept after errSilent, with the part of an answer that was read
	silentBy time.Time   // end of the gateway's allowed silence
	unsent   error       // error of the first write that failed
	lastBy   time.Time   // end of the wait for an answer that may not come; zero: none
}

// outcome is the result of a handshake.
type outcome struct {
	conn      net.Conn  // the connection after TLS and authentication; nil until it is connected
	replaced  bool      // the authentication has replaced conn
	unreached bool      // connecting failed on a deferred connection
	chosen    bool      // the gateway has chosen a method
	method    byte      // the chosen method
	letIn     bool      // the authentication has succeeded
	sent      bool      // the request was sent, or a part of it
	replied   bool      // the gateway has sent a valid reply, a grant or a refusal
	shut      bool      // the spare was silent, and the gateway let in no new connection meanwhile
	bound     wire.Addr // BND.ADDR and BND.PORT
	err       error
}

// errSilent is the error of an impatient handshake at silentBy. Its connection stays open, and do can resume it.
var errSilent = errors.New("the gateway is silent")

// silent reports whether err is the timeout of an impatient handshake at silentBy.
func (h *handshake) silent(err error) bool {
	return h.impatient && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(h.silentBy)
}

// do runs the handshake, or resumes it after errSilent. It sets h.err, and closes the connection if the error
// is not errSilent.
func (h *handshake) do(ctx context.Context) {
	h.err = h.run(ctx)
	if h.err == errSilent {
		return
	}
	if late := h.disarm(); h.err == nil {
		h.err = late
	}
	if h.scratch != nil {
		h.scratch.put()
		h.scratch = nil
	}
	if h.err != nil && h.raw != nil {
		h.raw.Close()
	}
}

// run connects, unless that was done, and exchanges the messages. The end of ctx closes the connection.
func (h *handshake) run(ctx context.Context) error {
	if h.conn == nil {
		if err := h.reach(ctx); err != nil {
			return err
		}
	}
	if h.scratch == nil {
		h.scratch = getScratch(h.conn)
	} else {
		h.arm() // resumed after errSilent: the whole bound applies
	}
	if ctx.Done() == nil {
		return h.exchange(ctx, h.scratch)
	}
	stop := context.AfterFunc(ctx, h.abort)
	err := h.exchange(ctx, h.scratch)
	if !stop() {
		return ctx.Err() // the connection is closed, even if the reply came first
	}
	return err
}

// exchange sends and reads the messages that are left:
//
//	handshake                    begins with                   ends with
//	pipelined                    all messages, in one write    the reply
//	pipelined, resumed           the answer that is due        the reply
//	stepwise                     the greeting                  the reply
//	stepwise, makes a spare      the greeting                  the authentication
//	stepwise, on a spare         the request                   the reply
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
		return nil // a spare has no request yet
	}
	return h.preferWriteError(h.exchangeRequest(s))
}

// lastWords is how long a handshake waits for an answer after a write has failed.
const lastWords = time.Second

// send writes a message. Its error is kept until after the next read: a gateway that refuses and resets the
// connection has often sent the reason before.
func (h *handshake) send(msg []byte) {
	_, err := h.conn.Write(msg)
	if inProgress(err) {
		_, err = h.conn.Write(msg)
	}
	if err != nil && h.unsent == nil {
		h.unsent, h.lastBy = err, time.Now().Add(lastWords)
		if !h.arm() {
			h.raw.Close() // without deadlines, the wait for an answer cannot be bounded
		}
	}
}

// preferWriteError returns the error of the first failed write, if any, unless err is an answer of the gateway that
// was read after it. Otherwise it returns err.
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

// readReply reads a reply. It reports whether there was a valid reply, which may be a refusal.
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
