package socks

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Handshake selects whether greeting, authentication and request are sent in one write. In one write they take one
// round trip; separately they take two or three. RFC 1928 does not forbid one write, but some gateways read one
// message at a time and lose the rest. No byte of the application is sent before the reply.
type Handshake int

const (
	// HandshakeAuto sends everything in one write, and offers only the first method of Auth, or the method that
	// the gateway chose before. If the gateway answers with garbage or hangs up before the reply, the Client makes
	// a second, stepwise attempt. If the gateway is silent for the longer of 250 ms and three times the connect
	// time, the stepwise attempt runs concurrently with the first, and the first reply wins. There is no second
	// attempt if the gateway is known to support pipelining and has let the dial in: the hang-up or the silence is
	// then about the destination. With FastOpen, silence is counted from when the connection is known to be
	// established, and the second attempt does not use FastOpen. The Client remembers from the replies whether the
	// gateway supports pipelining, until that fails. It tries a gateway that needed steps with one write again
	// after ten minutes. A transport without deadlines gets stepwise handshakes only.
	HandshakeAuto Handshake = iota
	// HandshakeStepwise sends each message in its own write, after the answer to the previous one.
	HandshakeStepwise
	// HandshakePipelined sends everything in one write. A dial fails if the gateway does not support that. A
	// stepwise attempt follows in three cases: the gateway refuses the offered method, and Auth has others; it
	// hangs up, and the offered method is not the first of Auth; or it hangs up on a spare connection.
	HandshakePipelined
)

const (
	// minSilence is the minimum silence after a pipelined handshake before a stepwise attempt begins. On a slow
	// network, that takes longer: see patience.
	minSilence = 250 * time.Millisecond
	// stepsFor is how long a Client with HandshakeAuto makes only stepwise handshakes after a dial that got its
	// first reply on the stepwise attempt, unless the pipelined attempt failed only because its method was refused.
	stepsFor = 10 * time.Minute
)

// knowledge is what a Client has learnt about its gateway. The zero knowledge is ready for use.
type knowledge struct {
	pipelines atomic.Bool // the gateway has replied to a pipelined request since one last failed
	// steps is when a dial last got its first reply on the stepwise attempt, in Unix nanoseconds. Zero: never,
	// or a pipelined request has got a reply since.
	steps  atomic.Int64
	method atomic.Int32 // index in Client.Auth of the method to offer in a pipelined handshake
}

// authToPipeline returns the one method to offer in a pipelined handshake, or nil if the handshake is to be
// stepwise.
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

// patience returns how long the gateway may be silent after a pipelined handshake was sent.
func (h *handshake) patience() time.Duration { return max(minSilence, 3*h.took) }

// tryPipelined runs a pipelined handshake, and if that gets no reply, a stepwise one: after the first if the gateway
// answered with garbage or hung up, and concurrently with it if the gateway is silent. If the gateway is known to
// pipeline and has let us in, there is no second attempt: silence or a hang-up is then about the destination.
func (c *Client) tryPipelined(ctx context.Context, req request, auth pipelinedAuth) *handshake {
	h := newHandshake(c, req, auth)
	h.impatient = c.Handshake == HandshakeAuto
	h.known = c.learnt.pipelines.Load()
	h.do(ctx)
	switch {
	case h.err == errSilent:
		return c.race(ctx, h)
	case !c.retriesStepwise(h) || contextErr(ctx) != nil:
		c.learn(h)
		return h
	}
	stepwise := c.attempt(ctx, req.withoutFastOpen(), nil)
	if errors.Is(h.err, ErrNoAcceptableAuth) {
		c.learnMethod(stepwise)
	} else {
		c.learn(stepwise)
	}
	return stepwise
}

// retriesStepwise reports whether a stepwise handshake follows the pipelined handshake h, which has ended.
func (c *Client) retriesStepwise(h *handshake) bool {
	switch {
	case h.endsDial():
		return false
	case errors.Is(h.err, ErrNoAcceptableAuth):
		return true
	case c.Handshake != HandshakeAuto:
		return !h.letIn && c.learnt.method.Load() != 0 // the gateway may no longer accept the method that was learnt
	}
	return !(h.known && h.letIn)
}

// race resumes a pipelined handshake on which the gateway was silent, and runs a stepwise one concurrently. It
// returns the first whose outcome ends the race, or else the one that ended last, and learns from it.
func (c *Client) race(ctx context.Context, pipelined *handshake) *handshake {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pipelined.impatient = false
	stepwise := newHandshake(c, pipelined.request.withoutFastOpen(), nil)
	ended := make(chan *handshake)
	for _, h := range []*handshake{pipelined, stepwise} {
		go func() { // owned by race, which waits for it; ends at the latest with ctx
			h.do(ctx)
			ended <- h
		}()
	}
	winner := <-ended
	if winner.endsRace() {
		cancel()
		if loser := <-ended; loser.err == nil {
			loser.raw.Close()
		}
	} else {
		winner = <-ended // the first has failed, and closed its connection
	}
	c.learn(winner)
	return winner
}

// endsRace reports whether the outcome of h stands, so that a concurrent handshake is not waited for.
func (h *handshake) endsRace() bool {
	return h.err == nil || h.replied || errors.Is(h.err, ErrAuthFailed) ||
		errors.Is(h.err, ErrNoAcceptableAuth) && !h.offeredPart()
}

// learn records what the handshake h shows about the gateway. A reply shows that the gateway supports h's kind of
// handshake. A pipelined request that failed without a reply clears pipelines, so that the next dial makes a
// stepwise attempt too. Silence shorter than patience changes nothing.
func (c *Client) learn(h *handshake) {
	switch {
	case h.replied && h.pipelined != nil:
		c.learnt.steps.Store(0)
		c.learnt.pipelines.Store(true)
	case h.replied:
		c.learnt.pipelines.Store(false)
		c.learnt.steps.Store(time.Now().UnixNano())
		c.learnMethod(h)
	case h.pipelined != nil && h.sent && h.gatewayFault():
		c.learnt.pipelines.Store(false)
	}
}

// gatewayFault reports whether the gateway made a handshake without a reply fail: it hung up, sent garbage, or was silent
// until silentBy.
func (h *handshake) gatewayFault() bool {
	return (errors.Is(h.err, ErrGateway) || errors.Is(h.err, ErrProtocol)) && !h.timedOut() || !time.Now().Before(h.silentBy)
}

// learnMethod records the method that the gateway chose in the stepwise handshake h, which offered all methods.
func (c *Client) learnMethod(h *handshake) {
	for i, a := range c.auths() {
		if h.letIn && a.Method() == h.method {
			c.learnt.method.Store(int32(i))
			return
		}
	}
}
