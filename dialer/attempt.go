package dialer

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/sockslib/sockslib/socks"
)

const (
	// associateTimeout bounds a write that makes an association. It is also the time for which datagrams to a
	// destination that has answered before are silently lost while the gateway is away.
	associateTimeout = 30 * time.Second
	// associatePause is the shortest time between two associations of a flow.
	associatePause = time.Second
)

// attempt is one write's attempt to make an association. made and err are set before done is closed.
type attempt struct {
	bound  context.Context // of the write that began it: its deadline, and Close
	cancel context.CancelCauseFunc
	done   chan struct{}
	made   *association
	err    error
}

var (
	errAgain = errors.New("the association ended meanwhile") // the write tries again
	errLost  = errors.New("the gateway is away")             // the datagram is lost
)

// association returns f's association. If f has none, the first write makes it, and others wait for its attempt.
func (p *PacketConn) association(f *flow) (*association, error) {
	var ctx context.Context // of this write's own attempt
	p.mu.Lock()
	a, at, err := f.open, f.making, p.checkMake(f)
	begins := a == nil && at == nil && err == nil
	if begins {
		ctx, at = p.begin(f)
	}
	p.mu.Unlock()
	switch {
	case a != nil:
		return a, nil
	case err != nil:
		return nil, err
	case begins:
		return p.ask(ctx, f, at)
	}
	wait := p.writeBy.context()
	select {
	case <-at.done:
		if at.made == nil && at.bound.Err() != nil && wait.Err() == nil {
			return nil, errAgain // that write's deadline has passed; this one's is later
		}
		return at.made, at.err
	case <-wait.Done():
		return nil, context.Cause(wait)
	}
}

// checkMake returns nil if an association may be made for f now, or is being made. Otherwise it returns errAgain,
// errLost, or the error of the write. p.mu is held.
func (p *PacketConn) checkMake(f *flow) error {
	switch {
	case p.closed:
		return net.ErrClosed
	case f.dropped:
		return errAgain
	case f.cause == nil || f.making != nil:
		return nil
	case f.proven && time.Since(f.begun) < associatePause:
		return errLost
	case !f.proven && time.Since(f.ended) < associatePause:
		return f.cause
	}
	return nil
}

// begin begins an attempt to make an association for f. The context ends at the write deadline, at Close and when f
// is dropped. p.mu is held.
func (p *PacketConn) begin(f *flow) (context.Context, *attempt) {
	bound := p.writeBy.context()
	ctx, cancel := context.WithCancelCause(bound)
	f.making, f.begun = &attempt{bound: bound, cancel: cancel, done: make(chan struct{})}, time.Now()
	return ctx, f.making
}

// ask asks the gateway for an association for f, and ends the attempt at.
func (p *PacketConn) ask(ctx context.Context, f *flow, at *attempt) (*association, error) {
	defer at.cancel(nil)
	limited, cancel := context.WithTimeoutCause(ctx, associateTimeout, os.ErrDeadlineExceeded)
	defer cancel()
	conn, err := p.dialer.listenPacket(limited, p.network, "")
	if err != nil && limited.Err() != nil {
		err = context.Cause(limited)
	}
	p.mu.Lock()
	host, took := f.name(), time.Since(f.begun)
	at.made, at.err = p.settle(f, conn, err)
	f.making = nil
	close(at.done)
	p.mu.Unlock()
	if err == nil {
		err = at.err
	}
	p.dialer.Trace.associationMade(host, took, err)
	if at.err != nil && conn != nil {
		conn.Close()
	}
	return at.made, at.err
}

// settle makes conn the association of f, or returns the error of the attempt: err, or the reason why f cannot use
// conn. p.mu is held.
func (p *PacketConn) settle(f *flow, conn net.PacketConn, err error) (*association, error) {
	switch {
	case p.closed:
		return nil, net.ErrClosed
	case f.dropped:
		return nil, ErrReplaced
	case err == nil && !p.writeBy.time().IsZero():
		err = p.unlessEnded(conn.SetWriteDeadline(p.writeBy.time()))
	}
	if err == nil {
		a := newAssociation(f, conn)
		controlOf(conn, p.options.apply)
		_ = p.buffers.apply(conn) // an error costs at most datagrams, as UDP allows
		f.open, f.cause = a, nil
		p.counts.Made++
		in := p.startInbox()
		p.running.Go(func() { p.pump(in, a) }) // owned by p; ends with the association
		return a, nil
	}
	switch {
	case !f.proven:
		p.drop(f, err) // only this write fails
	case err == os.ErrDeadlineExceeded && time.Since(f.begun) < associateTimeout:
		// The write deadline passed. The gateway has not failed, so later writes may try again.
	case errors.Is(err, socks.ErrGateway) && time.Since(f.ended) < associateTimeout:
		return nil, errLost // the gateway has worked before, and may be back soon
	default:
		f.proven, f.cause, f.ended = false, err, time.Now()
	}
	return nil, err
}
