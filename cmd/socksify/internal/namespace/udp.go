package namespace

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

const (
	maxFlows  = 1024            // maximum number of flows; datagrams of further sockets are dropped
	maxQueued = 256             // maximum number of waiting datagrams per flow; more are dropped
	flowIdle  = 2 * time.Minute // a flow without a datagram for this long ends (RFC 4787, REQ-5)
)

// flows holds the program's UDP sockets by their addresses. A flow begins with a socket's first datagram.
type flows struct {
	policy *policy.Policy
	dns    *dns
	send   func(packet []byte)

	mu      sync.Mutex
	byAddr  map[netip.AddrPort]*flow
	closing bool
	wg      sync.WaitGroup // flows

	waiting atomic.Int64 // datagrams in queues
	dropped atomic.Int64
	latest  atomic.Int64 // when a datagram was last passed on, in Unix nanoseconds
}

// outgoing is a datagram of the program.
type outgoing struct {
	to      netip.AddrPort
	payload []byte
	headers []byte // of IP and UDP, for an ICMP error
}

func newFlows(p *policy.Policy, d *dns, send func([]byte)) *flows {
	return &flows{policy: p, dns: d, send: send, byAddr: map[netip.AddrPort]*flow{}}
}

// handle handles each datagram of the program: it answers it, or queues it for its flow.
func (f *flows) handle(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	from := addrPort(id.RemoteAddress, id.RemotePort)
	m := outgoing{to: addrPort(id.LocalAddress, id.LocalPort), payload: pkt.Data().AsRange().ToSlice(), headers: beginning(pkt)}
	if m.to.Port() == dnsPort {
		f.dns.queries.ask(query{from: from, asked: m.to, payload: m.payload})
		return true
	}
	d := f.policy.Destination("udp", m.to)
	if d.Refuse != nil {
		f.refuse(m, d, d.Refuse)
		return true
	}
	if limit := pathMTU(d); dontFragment(m.headers) && len(m.headers)+len(m.payload) > limit {
		f.reply(packetTooBig(m.headers, uint32(limit)))
		return true
	}
	f.put(from, m, d)
	return true
}

// put queues a datagram for the flow of the socket from, and starts the flow if there is none.
func (f *flows) put(from netip.AddrPort, m outgoing, d policy.Destination) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.byAddr[from]
	if fl == nil {
		if f.closing || len(f.byAddr) >= maxFlows {
			f.dropped.Add(1)
			return
		}
		fl = newFlow(f, from)
		f.byAddr[from] = fl
		f.wg.Go(fl.run) // ends when the flow is idle, or with close
	}
	select {
	case fl.queue <- addressed{m, d}:
		f.waiting.Add(1)
	default:
		f.dropped.Add(1)
	}
}

// remove removes fl. It reports false, and keeps fl, if a datagram has been queued for it.
func (f *flows) remove(fl *flow) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(fl.queue) > 0 && !f.closing {
		return false
	}
	delete(f.byAddr, fl.addr)
	return true
}

// refuse logs err, and answers m with the ICMP error for it.
func (f *flows) refuse(m outgoing, d policy.Destination, err error) {
	f.policy.Log.Printf("udp %v → %v", d, err)
	if why, ok := reasonFor(policy.Errno(err), err); ok {
		f.reply(unreachable(m.headers, why))
	}
}

func (f *flows) reply(packet []byte) {
	if packet != nil {
		f.send(packet)
	}
}

// unsent returns the number of the program's datagrams that are not passed on yet.
func (f *flows) unsent() int { return int(f.waiting.Load()) }

// quietFor returns the time since a datagram was last passed on.
func (f *flows) quietFor() time.Duration { return time.Since(time.Unix(0, f.latest.Load())) }

func (f *flows) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byAddr)
}

func (f *flows) close() {
	f.mu.Lock()
	f.closing = true
	for _, fl := range f.byAddr {
		fl.cancel()
	}
	f.mu.Unlock()
	f.wg.Wait()
	if n := f.dropped.Load(); n > 0 {
		f.policy.Log.Printf("udp: %d datagrams dropped", n)
	}
}

// dontFragment reports whether a packet has DF. It reports false for IPv6, where no router fragments and a packet
// does not show whether the program wants that.
func dontFragment(headers []byte) bool {
	return headers[0]>>4 == 4 && header.IPv4(headers).Flags()&header.IPv4FlagDontFragment != 0
}

// pathMTU returns the length of the longest packet to d that reaches the gateway unfragmented, if the path's MTU
// leaves 1400 bytes for the packet and the header of a UDP request (RFC 1928, section 7). It is at least the
// length of an IPv4 packet with the 1200 bytes that QUIC needs (RFC 9000, section 14).
func pathMTU(d policy.Destination) int {
	size := 10
	switch {
	case d.Direct:
		size = 0
	case d.Name != "":
		size = 7 + len(d.Name)
	case d.Addr.Addr().Is6():
		size = 22
	}
	return max(1400-size, header.IPv4MinimumSize+header.UDPMinimumSize+1200)
}
