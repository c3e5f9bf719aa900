package socks

import (
	"context"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// Trace is a set of hooks that a [Client] calls during requests, like those of net/http/httptrace. Any hook may be
// nil. Hooks are called in the goroutine that does the work, concurrently for concurrent dials and for the two
// attempts that a dial with [HandshakeAuto] may have at once, and must not block. No hook is given a credential.
// Set a Trace as Client.Trace, or by [WithTrace] for one dial. If there are both, both are called, the Client's
// first.
type Trace struct {
	// GatewayConnected is called when the transport to the gateway, TLS included, is up, or has failed with err.
	// It took that time since connecting began. With FastOpen the hook is called when the gateway first answers,
	// after RequestSent if the request was in the SYN.
	GatewayConnected func(gateway net.Addr, took time.Duration, err error)
	// MethodChosen is called when the gateway has chosen an authentication method.
	MethodChosen func(method byte)
	// Authenticated is called when the method's sub-negotiation has ended, with err if it failed.
	Authenticated func(method byte, err error)
	// SpareTaken is called when a dial uses a spare connection, which had been idle for the given time.
	SpareTaken func(idle time.Duration)
	// RequestSent is called after a request was written, even if the write failed: "CONNECT", "BIND", "UDP
	// ASSOCIATE", "RESOLVE" or "RESOLVE_PTR".
	RequestSent func(command string, dst *Addr)
	// Replied is called when the wait for a reply has ended. If the reply grants the request, bound is BND.ADDR and
	// BND.PORT, and err is nil. Otherwise err is the Reply, or the reason why there is no valid reply. For BIND,
	// Replied is called for each of the two replies.
	Replied func(command string, dst, bound *Addr, err error)
	// PacketDropped is called when a datagram from the relay was dropped, or with DropUnreachable, when an ICMP
	// error reported that a datagram to the relay did not arrive. It must not read from the PacketConn.
	PacketDropped func(relay net.Addr, reason DropReason)
}

type traceKey struct{}

// WithTrace returns a copy of ctx with t. A request with that context calls the hooks of t. PacketDropped, and
// Replied for the second reply to a BIND, are called only for the Client's Trace, because they come after that
// request.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// hooks are the Traces of one dial: the Client's and the context's. Either may be nil.
type hooks [2]*Trace

func (c *Client) hooks(ctx context.Context) hooks {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return hooks{c.Trace, t}
}

func (h hooks) gatewayConnected(c *Client, took time.Duration, err error) {
	for _, t := range h {
		if t != nil && t.GatewayConnected != nil {
			t.GatewayConnected(c.source(), took, err)
		}
	}
}

func (h hooks) methodChosen(method byte) {
	for _, t := range h {
		if t != nil && t.MethodChosen != nil {
			t.MethodChosen(method)
		}
	}
}

func (h hooks) authenticated(method byte, err error) {
	for _, t := range h {
		if t != nil && t.Authenticated != nil {
			t.Authenticated(method, err)
		}
	}
}

func (h hooks) spareTaken(idle time.Duration) {
	for _, t := range h {
		if t != nil && t.SpareTaken != nil {
			t.SpareTaken(idle)
		}
	}
}

func (h hooks) requestSent(cmd wire.Command, dst *Addr) {
	for _, t := range h {
		if t != nil && t.RequestSent != nil {
			t.RequestSent(cmd.String(), dst.pointer())
		}
	}
}

func (h hooks) replied(cmd wire.Command, dst *Addr, bound wire.Addr, err error) {
	for _, t := range h {
		if t != nil && t.Replied != nil {
			t.Replied(cmd.String(), dst.pointer(), addrFrom(dst.Net, bound).pointer(), err)
		}
	}
}

func (h hooks) packetDropped(p *PacketConn, reason DropReason) {
	for _, t := range h {
		if t != nil && t.PacketDropped != nil {
			t.PacketDropped(p.BoundAddr(), reason)
		}
	}
}
