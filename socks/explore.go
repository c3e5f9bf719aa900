package socks

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// minSilence is the least time for which a gateway may say nothing to a pipelined handshake before another
// attempt is made step by step. A slow network gets three times what its connection needed.
const minSilence = 250 * time.Millisecond

// knowledge is what a Client has learnt of its gateway. It is kept for the Client's life.
type knowledge struct {
	way    atomic.Int32 // unknown, pipelines or steps
	method atomic.Int32 // index in the Client's Auth of the method to offer alone
}

const (
	unknown   = iota
	pipelines // it has replied to a pipelined request
	steps     // it has replied step by step, and not together
)

// first returns the Auth to pipeline with, or nil when the way is step by step.
func (c *Client) first() oneMessage {
	if c.Handshake == HandshakeStepwise || c.Handshake == HandshakeAuto && c.learnt.way.Load() == steps {
		return nil
	}
	auth, _ := c.auths()[c.learnt.method.Load()].(oneMessage)
	return auth
}

// explore finds out whether a gateway takes everything at once. It does when it replies. When it answers
// with nothing, garbage or a close before any reply, a second attempt is made step by step, and what that
// gets is the outcome; when it is silent, the second attempt runs beside the first, and the first to get a
// reply is.
func (c *Client) explore(ctx context.Context, q question, auth oneMessage) *handshake {
	race, cancel := context.WithCancel(ctx)
	defer cancel()
	together := &handshake{client: c, question: q, pipelined: auth, reached: make(chan struct{})}
	ended := together.start(race)
	select {
	case <-ended:
		return c.conclude(ctx, together)
	case <-together.reached:
	}
	silence := time.NewTimer(max(minSilence, 3*together.took))
	defer silence.Stop()
	select {
	case <-ended:
		return c.conclude(ctx, together)
	case <-silence.C:
	}

	stepwise := &handshake{client: c, question: q}
	endedToo := stepwise.start(race)
	winner, loser, loserEnded := together, stepwise, endedToo
	select {
	case <-ended:
	case <-endedToo:
		winner, loser, loserEnded = stepwise, together, ended
	}
	if !winner.settled() {
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

// start runs the handshake in a goroutine, which the channel tells the end of. It is owned by explore, and
// ends at the latest when ctx does.
func (h *handshake) start(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.finish(ctx)
	}()
	return ended
}

// conclude returns a pipelined handshake's outcome, or where it told nothing, that of one step by step.
func (c *Client) conclude(ctx context.Context, together *handshake) *handshake {
	if together.settled() || ctx.Err() != nil {
		c.learn(together)
		return together
	}
	stepwise := c.attempt(ctx, together.question, nil)
	if errors.Is(together.err, ErrNoAcceptableAuth) {
		c.learnMethod(stepwise)
	} else {
		c.learn(stepwise)
	}
	return stepwise
}

// settled reports whether another attempt could not end better: the gateway cannot be reached, has replied,
// or has refused what would be sent again.
func (h *handshake) settled() bool {
	switch {
	case h.err == nil, h.replied, h.raw == nil, errors.Is(h.err, ErrAuthFailed):
		return true
	case errors.Is(h.err, ErrNoAcceptableAuth):
		return !h.offeredPart()
	}
	return !errors.Is(h.err, ErrGateway) && !errors.Is(h.err, ErrProtocol)
}

// offeredPart reports whether only one of several methods was offered.
func (h *handshake) offeredPart() bool { return h.pipelined != nil && len(h.client.auths()) > 1 }

func (c *Client) learn(h *handshake) {
	switch {
	case !h.replied:
	case h.pipelined != nil:
		c.learnt.way.Store(pipelines)
	default:
		c.learnt.way.Store(steps)
		c.learnMethod(h)
	}
}

// learnMethod notes which method the gateway chose when it had the choice.
func (c *Client) learnMethod(h *handshake) {
	for i, a := range c.auths() {
		if h.accepted && a.Method() == h.method {
			c.learnt.method.Store(int32(i))
			return
		}
	}
}
