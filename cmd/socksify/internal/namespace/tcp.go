package namespace

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/cmd/socksify/internal/relay"
)

const (
	maxPending = 4096            // maximum number of dials; further SYNs are dropped, and the program sends them again
	timeWait   = 2 * time.Second // enough, because no segment is late on the device
	keepIdle   = time.Minute     // keep-alive probes find a killed program after this time
)

// connections holds the program's TCP connections. A SYN is answered after the gateway's reply.
type connections struct {
	policy    *policy.Policy
	stack     *stack.Stack
	dns       *dns
	send      func(packet []byte)
	forwarder *tcp.Forwarder

	ctx    context.Context // of every dial; ends with close
	cancel context.CancelFunc
	wg     sync.WaitGroup // requests and relays

	granted atomic.Int64 // number of connections that the gateway has granted and that are not in open yet
	mu      sync.Mutex
	pending map[stack.TransportEndpointID][]byte // the beginning of the SYN, for an ICMP error
	open    map[*connection]struct{}
}

// connection is a connection that the gateway has granted.
type connection struct {
	relay.Relay
	gateway net.Conn
	ep      tcpip.Endpoint // the program's side
}

func newConnections(p *policy.Policy, s *stack.Stack, d *dns, send func([]byte)) *connections {
	c := &connections{
		policy: p, stack: s, dns: d, send: send,
		pending: map[stack.TransportEndpointID][]byte{}, open: map[*connection]struct{}{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.forwarder = tcp.NewForwarder(s, initialBuffer, maxPending, c.request)
	return c
}

// handle handles a segment that belongs to no connection. It keeps the headers of a SYN until its dial has ended.
func (c *connections) handle(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	flags := header.TCP(pkt.TransportHeader().Slice()).Flags()
	if flags&(header.TCPFlagSyn|header.TCPFlagAck) != header.TCPFlagSyn {
		return false // the stack answers with a reset
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.pending[id]; again || len(c.pending) >= maxPending {
		return true
	}
	taken := c.forwarder.HandlePacket(id, pkt)
	if taken {
		c.pending[id] = beginning(pkt)
	}
	return taken
}

// beginning returns a copy of pkt's headers.
func beginning(pkt *stack.PacketBuffer) []byte {
	b := append([]byte(nil), pkt.NetworkHeader().Slice()...)
	return append(b, pkt.TransportHeader().Slice()...)
}

// complete ends a request, with or without a reset, and returns the headers of its SYN.
func (c *connections) complete(r *tcp.ForwarderRequest, reset bool) (syn []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := r.ID()
	syn = c.pending[id]
	delete(c.pending, id)
	r.Complete(reset)
	return syn
}

// request dials for a SYN, answers it, and relays. The forwarder calls it in a new goroutine for each SYN.
func (c *connections) request(r *tcp.ForwarderRequest) {
	if !c.enter() {
		c.complete(r, true)
		return
	}
	defer c.wg.Done()
	id := r.ID()
	to := addrPort(id.LocalAddress, id.LocalPort)
	if to.Port() == dnsPort {
		if program, _ := c.accept(r); program != nil {
			c.dns.conns.add(program)
		}
		return
	}
	d := c.policy.Destination("tcp", to)
	began := time.Now()
	gateway, err := c.policy.Dial(c.ctx, "tcp", d)
	c.policy.Log.Dialed("tcp", d, "", began, err)
	if err != nil {
		c.refuse(r, err)
		return
	}
	c.granted.Add(1) // until carry, for unsent
	program, ep := c.accept(r)
	if program == nil { // the program has given up
		c.granted.Add(-1)
		_ = gateway.Close()
		return
	}
	c.carry(&connection{gateway: gateway, ep: ep}, program, d, began)
}

// enter adds a request to wg. It reports false after close.
func (c *connections) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.wg.Add(1)
	return true
}

// accept completes the handshake with the program. It returns nil if the program does not complete it.
func (c *connections) accept(r *tcp.ForwarderRequest) (*gonet.TCPConn, tcpip.Endpoint) {
	var wq waiter.Queue
	ep, err := r.CreateEndpoint(&wq)
	c.complete(r, false)
	if err != nil {
		return nil, nil
	}
	idle := tcpip.KeepaliveIdleOption(keepIdle)
	_ = ep.SetSockOpt(&idle)
	ep.SocketOptions().SetKeepAlive(true)
	return gonet.NewTCPConn(&wq, ep), ep
}

// carry relays between the program and the gateway until both directions have ended, and logs the end.
func (c *connections) carry(conn *connection, program *gonet.TCPConn, d policy.Destination, began time.Time) {
	conn.Reset = conn.ep.Abort
	c.mu.Lock()
	c.open[conn] = struct{}{}
	closing := c.ctx.Err() != nil
	c.mu.Unlock()
	c.granted.Add(-1)
	if closing {
		conn.cut()
	}
	sent, received := conn.Run(program, conn.gateway)
	c.mu.Lock()
	delete(c.open, conn)
	c.mu.Unlock()
	c.policy.Log.Ended("tcp", d, "", began, sent, received)
}

// cut resets the program's side of a connection and closes the gateway's.
func (conn *connection) cut() {
	conn.ep.Abort()
	_ = conn.gateway.Close()
}

// refuse answers a SYN whose dial has failed with err, so that the program's connect fails with policy.Errno. If the dial
// has timed out, refuse does not answer, so that the program's own timeout counts.
func (c *connections) refuse(r *tcp.ForwarderRequest, err error) {
	errno := policy.Errno(err)
	syn := c.complete(r, errno == syscall.ECONNREFUSED)
	if errno == syscall.ECONNREFUSED {
		return
	}
	why, ok := reasonFor(errno, err)
	if packet := unreachable(syn, why); ok && packet != nil {
		c.send(packet)
		// The kernel drops an ICMP error while connect still holds the socket's lock, so it is sent twice.
		time.Sleep(lockTime)
		c.send(packet)
	}
}

// lockTime is longer than connect holds the socket's lock.
const lockTime = 5 * time.Millisecond

// reasonFor returns the reason of the ICMP error for errno. It reports false for a timeout without a reply.
func reasonFor(errno syscall.Errno, err error) (reason, bool) {
	switch errno {
	case syscall.ENETUNREACH:
		return networkUnreachable, true
	case syscall.EHOSTUNREACH:
		return hostUnreachable, true
	case syscall.EACCES:
		return administrativelyProhibited, true
	case syscall.ETIMEDOUT:
		return timeExceeded, policy.TTLExpired(err)
	}
	return portUnreachable, true
}

// unsent returns the number of connections with bytes of the program that are not passed on yet.
func (c *connections) unsent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int(c.granted.Load())
	for conn := range c.open {
		if !conn.Sent() {
			n++
		}
	}
	return n
}

// close cuts all connections, and waits for their goroutines.
func (c *connections) close() {
	c.mu.Lock()
	c.cancel()
	for conn := range c.open {
		conn.cut()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// dial connects to a listener of the program at 127.0.0.1, for -publish.
func (c *connections) dial(ctx context.Context, port uint16) (*gonet.TCPConn, error) {
	at := func(ip netip.Addr, port uint16) tcpip.FullAddress {
		return tcpip.FullAddress{NIC: nic, Addr: ipAddress(ip), Port: port}
	}
	return gonet.DialTCPWithBind(ctx, c.stack, at(server4, 0), at(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), header.IPv4ProtocolNumber)
}
