package socks

import (
	"net"
	"time"
)

// Trace is a set of hooks for what a Client does, as net/http/httptrace has them for requests. Each may
// be nil. They are called in the goroutine that does the work, concurrently for concurrent dials, and
// must not block; no hook is ever given a credential.
type Trace struct {
	// GatewayConnected: the gateway's transport is up, TLS included, or failed with err. It took that long.
	GatewayConnected func(gateway net.Addr, took time.Duration, err error)
	// MethodChosen: the gateway chose this authentication method.
	MethodChosen func(method byte)
	// Authenticated: the method's negotiation ended.
	Authenticated func(method byte, err error)
	// RequestSent: a request went out: "CONNECT", "BIND", "UDP ASSOCIATE", "RESOLVE" or "RESOLVE_PTR".
	RequestSent func(command string, dst *Addr)
	// Replied: the gateway answered with its bound address, or err says why not. BIND answers twice.
	Replied func(command string, dst, bound *Addr, err error)
	// PacketDropped: a datagram from the relay was not delivered, for this reason.
	PacketDropped func(relay net.Addr, reason DropReason)
}
