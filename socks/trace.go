package socks

import (
	"context"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// Trace is a set of hooks for what a Client does, as net/http/httptrace has them for requests. Each may
// be nil. They are called in the goroutine that does the work, concurrently for concurrent dials, and
// must not block; no hook is ever given a credential. Set it as a Client's Trace, or by [WithTrace] for one
// dial; when both are there, both are called, the Client's first.
type Trace struct {
	// GatewayConnected: the gateway's transport is up, TLS included, or failed with err. It took that long. With
	// FastOpen that is known when the gateway first answers, after RequestSent if the request went out in the SYN.
	GatewayConnected func(gateway net.Addr, took time.Duration, err error)
	// MethodChosen: the gateway chose this authentication method.
	MethodChosen func(method byte)
	// Authenticated: the method's negotiation ended.
	Authenticated func(method byte, err error)
	// SpareTaken: a connection that was ready is used, and was so for that long.
	SpareTaken func(idle time.Duration)
	// RequestSent: a request went out: "CONNECT", "BIND", "UDP ASSOCIATE", "RESOLVE" or "RESOLVE_PTR".
	RequestSent func(command string, dst *Addr)
	// Replied: the gateway answered with its bound address, or err says why not. BIND answers twice.
	Replied func(command string, dst, bound *Addr, err error)
	// PacketDropped: a datagram from the relay was not delivered, for this reason; or, DropUnreachable, the system
	// was told that one to the relay was not.
	PacketDropped func(relay net.Addr, reason DropReason)
}

type traceKey struct{}

// WithTrace returns a context for a dial that calls the hooks of t. Datagrams of an association are the
// Client's Trace's alone: a context governs the call that it is given to.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// hooks are the Traces of one dial: the Client's and the context's, nil each where there is none.
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
