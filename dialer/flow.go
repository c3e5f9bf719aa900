package dialer

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

var (
	// ErrReplaced is the reason for closing an association to make room for another; see [Trace].
	ErrReplaced = errors.New("the association made room for another")
	// ErrIdle is the reason for closing an association on which nothing was sent or received for two minutes; see
	// [Trace].
	ErrIdle = errors.New("the association was idle")
)

// maxFlows is the maximum number of flows of a PacketConn, and so of its associations. One more flow replaces the
// flow that was unused for longest, and late answers to the replaced flow are lost.
const maxFlows = 512

// dropIdle runs every idleTick. It drops a flow that was unused in idleTicks consecutive runs, that is, for two to
// two and a half minutes.
const (
	idleTick  = 30 * time.Second
	idleTicks = 4
)

// flow is the traffic with one name, or with the real addresses of one family. Each flow has its own association,
// because many gateways keep one destination per association. The PacketConn's mu guards it, except used.
//
// The association of a flow is in one of these states:
//
//	none     open and making are nil: the next write makes an association, unless checkMake forbids it
//	making   making is set: a write waits for the gateway, and other writes wait for that attempt
//	open     open is set: datagrams are sent and received
//	ended    none again, with cause and ended set; a fixed peer's association stays in open
//	dropped  the PacketConn has removed the flow, which gets no association any more
type flow struct {
	host     netip.Addr    // the name's fake address, or the family's wildcard; invalid before the first datagram
	lease    lease         // pins the name; empty for real addresses
	used     atomic.Uint64 // PacketConn.clock when a datagram was last sent or received
	lastUsed uint64        // used at the last dropIdle
	idle     int           // calls of dropIdle since used changed

	open    *association // nil: none
	making  *attempt     // nil: none is under way
	begun   time.Time    // when the last attempt began
	proven  bool         // a datagram has arrived since an attempt last failed for good; see settle
	cause   error        // why the last association ended; nil: there was none, or it has not ended
	ended   time.Time    // when the last association ended
	dropped bool         // drop was called
}

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

// touch records that a datagram of f is sent or received.
func (p *PacketConn) touch(f *flow) { f.used.Store(p.clock.Add(1)) }

// flow returns the flow of a host, and makes one if there is none. It takes ownership of l. If there are too many
// flows, flow drops the one that was unused for longest.
func (p *PacketConn) flow(host netip.Addr, l lease) (*flow, error) {
	p.mu.Lock()
	f := p.flows[host]
	var replaced *association
	switch {
	case p.closed:
		p.mu.Unlock()
		l.release()
		return nil, net.ErrClosed
	case f != nil:
		l.release() // f has its own
	default:
		if f = p.flows[netip.Addr{}]; f != nil { // the first destination uses p.first
			delete(p.flows, netip.Addr{})
		} else {
			replaced = p.makeRoom()
			f = new(flow)
		}
		f.host, f.lease = host, l
		p.flows[host] = f
	}
	p.touch(f)
	p.mu.Unlock()
	p.closeDetached(replaced, ErrReplaced)
	return f, nil
}

// makeRoom drops the flow that was unused for longest if p has its maximum of flows. It returns that flow's
// association, for closeDetached, or nil. p.mu is held.
func (p *PacketConn) makeRoom() *association {
	if len(p.flows) < p.most {
		return nil
	}
	var longest *flow
	for _, f := range p.flows {
		if longest == nil || f.used.Load() < longest.used.Load() {
			longest = f
		}
	}
	a := p.drop(longest, ErrReplaced)
	if a != nil {
		p.counts.Replaced++
	}
	return a
}

// dropIdle drops idle flows. p's timer calls it until Close.
func (p *PacketConn) dropIdle() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.running.Add(1)
	defer p.running.Done()
	var idle []*association
	for _, f := range p.flows {
		if used := f.used.Load(); used != f.lastUsed || f.making != nil {
			f.lastUsed, f.idle = used, 0
		} else if f.idle++; f.idle == idleTicks {
			if a := p.drop(f, ErrIdle); a != nil {
				idle = append(idle, a)
			}
		}
	}
	p.counts.Idle += uint64(len(idle))
	p.timer.Reset(idleTick)
	p.mu.Unlock()
	for _, a := range idle {
		p.closeDetached(a, ErrIdle)
	}
}

// drop removes f from p, and returns its association, for closeDetached, or nil. p.mu is held.
func (p *PacketConn) drop(f *flow, why error) *association {
	f.dropped = true
	delete(p.flows, f.host)
	maps.DeleteFunc(p.routes, func(_ destination, to *route) bool { return to.flow == f })
	f.lease.release()
	if f.making != nil {
		f.making.cancel(why)
	}
	return p.detach(f)
}

// end records that the gateway has ended a, and closes a.
func (p *PacketConn) end(a *association, err error) {
	f, cause := a.flow, causeOf(err)
	p.mu.Lock()
	if f.open != a {
		p.mu.Unlock()
		return
	}
	f.cause, f.ended = cause, time.Now()
	p.counts.Ended++
	if f.host.IsValid() {
		p.detach(f)
	} else {
		p.drop(f, cause) // f had no destination yet
	}
	p.mu.Unlock()
	p.closeDetached(a, cause)
}

// endFixed records that the gateway has ended the association of the fixed peer, if err, the error of a read or
// write, says so. The association stays in its flow until Close, so that later reads and writes on it return
// the cause.
func (p *PacketConn) endFixed(err error) {
	f := p.fixed.flow
	p.mu.Lock()
	if p.closed || f.cause != nil || !errors.Is(err, net.ErrClosed) {
		p.mu.Unlock()
		return
	}
	host, cause := f.name(), causeOf(err)
	f.cause, f.ended = cause, time.Now()
	p.counts.Ended++
	p.mu.Unlock()
	p.dialer.Trace.associationEnded(host, cause)
}

// detach removes the association from f and returns it, or nil if there is none. p.mu is held.
func (p *PacketConn) detach(f *flow) *association {
	a := f.open
	if a != nil {
		f.open = nil
		p.past = plus(p.past, a.stats())
		if a == p.first {
			p.startInbox()
		}
	}
	return a
}

// closeDetached closes an association that detach has removed from its flow, and calls the Trace with why. It ignores
// nil. p.mu is not held, because the Trace may call p.
func (p *PacketConn) closeDetached(a *association, why error) {
	if a == nil {
		return
	}
	a.close()
	p.mu.Lock()
	host := a.flow.name()
	p.mu.Unlock()
	p.dialer.Trace.associationEnded(host, why)
}
