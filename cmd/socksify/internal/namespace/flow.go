package namespace

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

// flow is one UDP socket of the program. It has one PacketConn of the gateway, made for the first datagram that
// needs it, and one socket per direct destination.
type flow struct {
	flows *flows
	addr  netip.AddrPort // the socket's
	queue chan addressed
	ctx   context.Context // of all dials; ends with the flow

	cancel  context.CancelFunc
	gateway net.PacketConn              // nil: none yet
	direct  map[netip.AddrPort]net.Conn // by destination
	readers chan struct{}               // one value per reader that has ended
	running int                         // number of readers
	logged  map[netip.AddrPort]bool     // destinations that have been logged
	last    atomic.Int64                // when a datagram was last sent or received, in Unix nanoseconds
}

// addressed is a datagram of the program with the decision about its destination.
type addressed struct {
	outgoing
	d policy.Destination
}

func newFlow(f *flows, addr netip.AddrPort) *flow {
	fl := &flow{
		flows: f, addr: addr, queue: make(chan addressed, maxQueued),
		direct: map[netip.AddrPort]net.Conn{}, readers: make(chan struct{}), logged: map[netip.AddrPort]bool{},
	}
	fl.ctx, fl.cancel = context.WithCancel(context.Background())
	return fl
}

// run passes on the datagrams of fl until fl is idle or cancelled. It owns fl's connections.
func (fl *flow) run() {
	defer fl.end()
	idle := time.NewTimer(flowIdle)
	defer idle.Stop()
	fl.touch()
	for {
		select {
		case m := <-fl.queue:
			fl.pass(m)
			fl.flows.waiting.Add(-1)
		case <-fl.readers: // a connection has ended; the next datagram makes another
			fl.running--
			fl.closeConns()
		case <-idle.C:
			if rest := flowIdle - fl.silence(); rest > 0 {
				idle.Reset(rest)
			} else if fl.flows.remove(fl) {
				return
			} else {
				idle.Reset(flowIdle)
			}
		case <-fl.ctx.Done():
			fl.flows.remove(fl)
			return
		}
	}
}

func (fl *flow) touch()                 { fl.last.Store(time.Now().UnixNano()) }
func (fl *flow) silence() time.Duration { return time.Since(time.Unix(0, fl.last.Load())) }

// pass sends a datagram to its destination.
func (fl *flow) pass(m addressed) {
	fl.touch()
	began := time.Now()
	err := fl.write(m)
	fl.flows.latest.Store(time.Now().UnixNano())
	if !fl.logged[m.to] || err != nil {
		fl.flows.policy.Log.Dialed("udp", m.d, "", began, err)
		fl.logged[m.to] = true
	}
	if err == nil || fl.ctx.Err() != nil {
		return
	}
	if why, ok := reasonFor(policy.Errno(err), err); ok {
		fl.flows.reply(unreachable(m.headers, why))
	}
}

// write sends a datagram, directly or through the gateway. If the gateway has ended the flow's PacketConn, it tries once
// more with a new one.
func (fl *flow) write(m addressed) error {
	if m.d.Direct {
		c, err := fl.dialed(m.d)
		if err == nil {
			_, err = c.Write(m.payload)
		}
		return err
	}
	err := fl.writeToGateway(m)
	if errors.Is(err, net.ErrClosed) && fl.ctx.Err() == nil { // the gateway has ended the PacketConn
		fl.closeConns()
		err = fl.writeToGateway(m)
	}
	return err
}

// writeToGateway sends a datagram through the gateway, and makes the flow's PacketConn if there is none.
func (fl *flow) writeToGateway(m addressed) error {
	if fl.gateway == nil {
		ctx, cancel := fl.bounded()
		defer cancel()
		p, err := fl.flows.policy.Dialer.ListenPacket(ctx, "udp", "")
		if err != nil {
			return err
		}
		fl.gateway = p
		fl.read(func(b []byte) (int, netip.AddrPort, error) { return readFrom(p, b) })
	}
	_, err := fl.gateway.WriteTo(m.payload, net.UDPAddrFromAddrPort(m.d.Addr))
	return err
}

// bounded returns fl.ctx limited to the policy's Timeout.
func (fl *flow) bounded() (context.Context, context.CancelFunc) {
	if t := fl.flows.policy.Timeout; t > 0 {
		return context.WithTimeout(fl.ctx, t)
	}
	return context.WithCancel(fl.ctx)
}

// dialed returns the socket for a direct destination, and makes it if there is none.
func (fl *flow) dialed(d policy.Destination) (net.Conn, error) {
	if c := fl.direct[d.Addr]; c != nil {
		return c, nil
	}
	c, err := fl.flows.policy.Dial(fl.ctx, "udp", d)
	if err != nil {
		return nil, err
	}
	fl.direct[d.Addr] = c
	fl.read(func(b []byte) (int, netip.AddrPort, error) {
		n, err := c.Read(b)
		return n, d.Addr, err
	})
	return c, nil
}

// read starts a reader, which passes the datagrams that the func read returns to the program.
func (fl *flow) read(read func([]byte) (int, netip.AddrPort, error)) {
	fl.running++
	go func() { // owned by fl; ends with its connection; run or closeConns waits for it
		fl.deliver(read)
		fl.readers <- struct{}{}
	}()
}

// deliver passes datagrams from read to the program until read fails with an error other than a passing one.
func (fl *flow) deliver(read func([]byte) (int, netip.AddrPort, error)) {
	b := make([]byte, 64<<10)
	for {
		n, from, err := read(b)
		if err != nil {
			if passing(err) {
				continue
			}
			return
		}
		fl.touch()
		if from.Addr().Is4() != fl.addr.Addr().Is4() || n > maxPayload {
			fl.flows.dropped.Add(1)
			continue
		}
		fl.flows.send(datagram(from, fl.addr, b[:n]))
	}
}

// closeConns closes fl's connections and waits for their readers.
func (fl *flow) closeConns() {
	if fl.gateway != nil {
		_ = fl.gateway.Close()
		fl.gateway = nil
	}
	for d, c := range fl.direct {
		_ = c.Close()
		delete(fl.direct, d)
	}
	for ; fl.running > 0; fl.running-- {
		<-fl.readers
	}
}

// end closes fl's connections, and drops the datagrams that wait.
func (fl *flow) end() {
	fl.cancel()
	fl.closeConns()
	for {
		select {
		case <-fl.queue:
			fl.flows.waiting.Add(-1)
			fl.flows.dropped.Add(1)
		default:
			return
		}
	}
}

// readFrom reads a datagram from p. It does not allocate if p has ReadFromAddrPort.
func readFrom(p net.PacketConn, b []byte) (int, netip.AddrPort, error) {
	if fast, ok := p.(interface {
		ReadFromAddrPort([]byte) (int, netip.AddrPort, error)
	}); ok {
		n, from, err := fast.ReadFromAddrPort(b)
		return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
	}
	n, from, err := p.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	udp, _ := from.(*net.UDPAddr)
	ap := udp.AddrPort()
	return n, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// passing reports whether a connected socket is still usable after err: its host has refused a datagram.
func passing(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
