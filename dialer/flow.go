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
	// maxFlows bounds what one PacketConn holds at the gateway. One more replaces the one that was unused for
	// longest, and late answers to that are lost.
	maxFlows = 512
	// associateTimeout bounds a write that has to make an association, and the time for which a destination
	// that has answered before may be without one because the gateway is away.
	associateTimeout = 30 * time.Second
	// associatePause is the least time between two associations of a flow.
	associatePause = time.Second
)

// flow is what is sent to one name, or to the real addresses of one family, by an association of its own:
// many gateways keep one destination for each. The PacketConn's mu guards it.
type flow struct {
	host  netip.Addr    // the name's fake address, or the family's wildcard; invalid: nothing was sent yet
	lease lease         // pins the name; none for real addresses
	used  atomic.Uint64 // PacketConn.clock when something was last sent or received
	seen  uint64        // used, when it was last looked at
	idle  int           // how often used has not changed since

	by     *association // nil: none is open
	making *attempt     // nil: nobody makes one
	begun  time.Time    // when the last one was begun to be made
	proven bool         // one has delivered something
	cause  error        // why the last one ended; nil: there was none, or it is open
	ended  time.Time    // when that was
	gone   bool         // it is not the PacketConn's any more
}

// attempt is an association in the making. err is set before done is closed.
type attempt struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

var (
	errAgain = errors.New("the association ended meanwhile") // and another one may be made
	errLost  = errors.New("the gateway is away")             // and the datagram is lost
)

// wildcard is the host of the flow that a real address belongs to.
func wildcard(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// name is what a Trace is told of a flow: a name, or the wildcard of real addresses.
func (f *flow) name() string {
	if name := f.lease.name(); name != "" || !f.host.IsValid() {
		return name
	}
	return f.host.String()
}

// use notes that something goes by f.
func (p *PacketConn) use(f *flow) { f.used.Store(p.clock.Add(1)) }

// association returns the one by which f goes, and makes it where there is none: in the goroutine of the
// first that needs it, while others that do wait.
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

// refuse is why no association is made for f now, or nil. p.mu is held.
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

// make makes an association for f.
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

// settle gives f the association that was made for it, or tells what is to be said of the attempt. p.mu is held.
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
		_ = p.buffers.apply(conn) // too small a buffer loses what UDP may lose
		controlOf(conn, p.options.apply)
		f.by, f.cause = a, nil
		p.counts.Made++
		in := p.collect()
		p.running.Go(func() { p.pump(in, a) }) // owned by p; ends with the association
		return a, nil
	}
	switch {
	case !f.proven:
		p.drop(f, err) // the error is this write's alone
	case err == os.ErrDeadlineExceeded && time.Since(f.begun) < associateTimeout:
		// The write deadline's: it says nothing of the gateway, and nothing to a write that comes later.
	case errors.Is(err, socks.ErrGateway) && time.Since(f.ended) < associateTimeout:
		return nil, errLost // it was there before, and is away for a moment
	default:
		f.proven, f.cause, f.ended = false, err, time.Now()
	}
	return nil, err
}

// end notes that the gateway ended a.
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
		p.drop(f, cause) // it was for no destination
	}
	p.mu.Unlock()
	p.bury(a, cause)
}
