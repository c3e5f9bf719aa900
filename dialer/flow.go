package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/socks"
)

const (
	// maxFlows is the maximum number of flows of a PacketConn, and so of its associations. One more flow replaces
	// the flow that was unused for longest, and late answers to the replaced flow are lost.
	maxFlows = 512
	// associateTimeout bounds a write that makes an association. It is also the time for which datagrams to a
	// destination that has answered before are silently lost while the gateway is away.
	associateTimeout = 30 * time.Second
	// associatePause is the shortest time between two associations of a flow.
	associatePause = time.Second
)

// flow is the traffic with one name, or with the real addresses of one family. Each flow has its own association,
// because many gateways keep one destination per association. The PacketConn's mu guards it, except used.
type flow struct {
	host  netip.Addr    // the name's fake address, or the family's wildcard; invalid before the first datagram
	lease lease         // pins the name; empty for real addresses
	used  atomic.Uint64 // PacketConn.clock when a datagram was last sent or received
	seen  uint64        // used at the last lookForIdle
	idle  int           // calls of lookForIdle since used changed

	by     *association // the open association; nil: none
	making *attempt     // the attempt to make one; nil: none is under way
	begun  time.Time    // when the last attempt began
	proven bool         // an association has delivered a datagram
	cause  error        // why the last association ended; nil: there was none, or it is open
	ended  time.Time    // when the last association ended
	gone   bool         // drop was called
}

// attempt is an attempt to make an association. err is set before done is closed.
type attempt struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

var (
	errAgain = errors.New("the association ended meanwhile") // the write tries again
	errLost  = errors.New("the gateway is away")             // the datagram is lost
)

// wildcard returns the host of the flow with the real addresses of ip's family.
func wildcard(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// name returns the host of f for a Trace: the name, the wildcard for real addresses, or "" before the first
// datagram.
func (f *flow) name() string {
	if name := f.lease.name(); name != "" || !f.host.IsValid() {
		return name
	}
	return f.host.String()
}

// use records that a datagram of f is sent or received.
func (p *PacketConn) use(f *flow) { f.used.Store(p.clock.Add(1)) }

// association returns f's association, and makes one if there is none. One goroutine at a time makes it; the others
// wait for it.
func (p *PacketConn) association(f *flow) (*association, error) {
	p.mu.Lock()
	if f.by != nil {
		defer p.mu.Unlock()
		return f.by, nil
	}
	if err := p.refuse(f); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	at := f.making
	if at != nil {
		p.mu.Unlock()
		wait := p.writeBy.context()
		select {
		case <-at.done:
		case <-wait.Done():
			return nil, context.Cause(wait)
		}
		if at.err != nil {
			return nil, at.err
		}
		return p.association(f)
	}
	ctx, cancel := context.WithCancelCause(p.writeBy.context())
	at = &attempt{cancel: cancel, done: make(chan struct{})}
	f.making, f.begun = at, time.Now()
	p.mu.Unlock()
	defer cancel(nil)
	return p.make(ctx, f, at)
}

// refuse returns the error if no association may be made for f now, otherwise nil. p.mu is held.
func (p *PacketConn) refuse(f *flow) error {
	switch {
	case p.closed:
		return net.ErrClosed
	case f.gone:
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

// make makes an association for f and ends the attempt at.
func (p *PacketConn) make(ctx context.Context, f *flow, at *attempt) (*association, error) {
	limited, cancel := context.WithTimeoutCause(ctx, associateTimeout, os.ErrDeadlineExceeded)
	defer cancel()
	conn, err := p.dialer.Gateway.ListenPacket(limited, p.network, "")
	if err != nil && limited.Err() != nil {
		err = context.Cause(limited)
	}
	p.dialer.Trace.associationMade(f.name(), time.Since(f.begun), err)
	p.mu.Lock()
	a, err := p.settle(f, conn, err)
	f.making, at.err = nil, err
	close(at.done)
	p.mu.Unlock()
	if err != nil && conn != nil {
		conn.Close()
	}
	return a, err
}

// settle makes conn the association of f, or returns the error of the attempt: err, or the reason why f cannot use
// conn. p.mu is held.
func (p *PacketConn) settle(f *flow, conn net.PacketConn, err error) (*association, error) {
	switch {
	case p.closed:
		return nil, net.ErrClosed
	case f.gone:
		return nil, ErrReplaced
	case err == nil:
		err = conn.SetWriteDeadline(p.writeBy.time())
	}
	if err == nil {
		a := newAssociation(f, conn)
		_ = p.buffers.apply(conn) // an error costs at most datagrams, as UDP allows
		controlOf(conn, p.options.apply)
		f.by, f.cause = a, nil
		p.counts.Made++
		in := p.collect()
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

// end records that the gateway has ended a, and closes a.
func (p *PacketConn) end(a *association, err error) {
	f, cause := a.flow, causeOf(err)
	p.mu.Lock()
	if f.by != a {
		p.mu.Unlock()
		return
	}
	f.cause, f.ended = cause, time.Now()
	p.counts.Ended++
	if f.host.IsValid() {
		p.take(f)
	} else {
		p.drop(f, cause) // f had no destination yet
	}
	p.mu.Unlock()
	p.bury(a, cause)
}
