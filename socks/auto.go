package socks

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Handshake is how the messages to the gateway are grouped. Greeting, authentication and request together
// cost one round trip, one by one two or three. RFC 1928 does not forbid the former, but some gateways
// read one message a time and lose the rest. No octet of the application is ever sent before the reply.
type Handshake int

const (
	// HandshakeAuto sends everything in one write, and offers the first method of Auth alone. When the gateway
	// answers that with garbage or hangs up before it replies, a second attempt is made step by step. When
	// it is silent for 250 ms, or three times what its connection needed, the second attempt runs beside the
	// first, and the first to get a reply is the outcome. With FastOpen, silence counts from when the connection is
	// known to be made, and the second attempt is without it. What the gateway takes is learnt from its replies, and
	// found out again when that fails; a gateway that needed steps is tried with one write again after ten
	// minutes. A transport without deadlines is asked step by step.
	HandshakeAuto Handshake = iota
	// HandshakeStepwise sends each message in a write of its own, after the answer to the one before.
	HandshakeStepwise
	// HandshakePipelined sends everything in one write; a gateway that cannot take that fails. A gateway that
	// refuses the one method offered, of several, is asked once step by step which it takes, and so is one
	// that hangs up on a method other than the first, or on a spare connection.
	HandshakePipelined
)

const (
	// minSilence is the least time for which a gateway may say nothing to a pipelined handshake before
	// another attempt is made step by step. A slow network gets three times what its connection needed.
	minSilence = 250 * time.Millisecond
	// stepsFor is how long a gateway is asked step by step before it is tried with everything at once again.
	stepsFor = 10 * time.Minute
)

// knowledge is what a Client has learnt of its gateway. The zero knowledge is none.
type knowledge struct {
	pipelines atomic.Bool  // it has replied to a pipelined request since one last failed
	steps     atomic.Int64 // since when, in Unix nanoseconds, it is known to reply step by step only; zero: it is not
	method    atomic.Int32 // index in the Client's Auth of the method to offer alone
}

// authToPipeline returns the Auth to pipeline with, or nil when the gateway is to be asked step by step.
func (c *Client) authToPipeline() pipelinedAuth {
	switch c.Handshake {
	case HandshakeStepwise:
		return nil
	case HandshakeAuto:
		if since := c.learnt.steps.Load(); since != 0 && time.Since(time.Unix(0, since)) < stepsFor {
			return nil
		}
	}
	auth, _ := c.auths()[c.learnt.method.Load()].(pipelinedAuth)
	return auth
}

// patience is how long the gateway may be silent.
func (h *handshake) patience() time.Duration { return max(minSilence, 3*h.took) }

// tryPipelined asks with everything in one write. Where that gets no reply, a second attempt, made step by step,
// may: at once when the gateway answers with garbage or hangs up, and beside the first attempt when it is
// silent. A gateway that is known to pipeline, and has let us in, is only slow or has hung up on the
// destination: that is the outcome.
func (c *Client) tryPipelined(ctx context.Context, req request, auth pipelinedAuth) *handshake {
	h := newHandshake(c, req, auth)
	h.impatient = c.Handshake == HandshakeAuto
	h.known = c.learnt.pipelines.Load()
	h.finish(ctx)
	switch {
	case h.err == errSilent:
		return c.race(ctx, h)
	case !c.retriesStepwise(h) || ended(ctx) != nil:
		c.learn(h)
		return h
	}
	stepwise := c.attempt(ctx, req.again(), nil)
	if errors.Is(h.err, ErrNoAcceptableAuth) {
		c.learnMethod(stepwise)
	} else {
		c.learn(stepwise)
	}
	return stepwise
}

// retriesStepwise reports whether what came of a pipelined handshake calls for one step by step.
func (c *Client) retriesStepwise(h *handshake) bool {
	switch {
	case h.final():
		return false
	case errors.Is(h.err, ErrNoAcceptableAuth):
		return true
	case c.Handshake != HandshakeAuto:
		return !h.letIn && c.learnt.method.Load() != 0 // the method that was learnt may not be the gateway's any more
	}
	return !(h.known && h.letIn)
}

// race goes on with a pipelined handshake on which the gateway was silent, beside one step by step. The
// first to get a reply is the outcome, and what is learnt.
func (c *Client) race(ctx context.Context, pipelined *handshake) *handshake {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pipelined.impatient = false
	stepwise := newHandshake(c, pipelined.request.again(), nil)
	ended, endedToo := pipelined.start(ctx), stepwise.start(ctx)
	winner, loser, loserEnded := pipelined, stepwise, endedToo
	select {
	case <-ended:
	case <-endedToo:
		winner, loser, loserEnded = stepwise, pipelined, ended
	}
	if !winner.decisive() {
		<-loserEnded
		winner, loser = loser, winner
	}
	cancel()
	<-loserEnded
	if loser.err == nil {
		loser.raw.Close()
	}
	c.learn(winner)
	return winner
}

// decisive reports whether no handshake beside this one could end better.
func (h *handshake) decisive() bool {
	return h.err == nil || h.replied || errors.Is(h.err, ErrAuthFailed) ||
		errors.Is(h.err, ErrNoAcceptableAuth) && !h.offeredPart()
}

// start runs the handshake in a goroutine and returns a channel that its end closes. The goroutine is
// race's, and ends at the latest when ctx does.
func (h *handshake) start(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.finish(ctx)
	}()
	return ended
}

// learn notes what a handshake tells about the gateway. A reply tells the way that the gateway takes.
// A pipelined request without a reply takes back that the gateway pipelines, unless the silence was too
// short to mean anything: the next dial explores.
func (c *Client) learn(h *handshake) {
	switch {
	case h.replied && h.pipelined != nil:
		c.learnt.steps.Store(0)
		c.learnt.pipelines.Store(true)
	case h.replied:
		c.learnt.pipelines.Store(false)
		c.learnt.steps.Store(time.Now().UnixNano())
		c.learnMethod(h)
	case h.pipelined != nil && h.sent && h.failed():
		c.learnt.pipelines.Store(false)
	}
}

// failed reports whether a handshake without a reply failed by the gateway's doing: it hung up, sent
// garbage, or was silent for long enough.
func (h *handshake) failed() bool {
	return (errors.Is(h.err, ErrGateway) || errors.Is(h.err, ErrProtocol)) && !h.timedOut() || !time.Now().Before(h.silentBy)
}

// learnMethod notes which method the gateway chose when it had the choice.
func (c *Client) learnMethod(h *handshake) {
	for i, a := range c.auths() {
		if h.letIn && a.Method() == h.method {
			c.learnt.method.Store(int32(i))
			return
		}
	}
}
