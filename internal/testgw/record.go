package testgw

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/sockslib/sockslib/internal/wire"
)

// ATYP values (RFC 1928, section 5).
const (
	IPv4 byte = 1
	Name byte = 3
	IPv6 byte = 4
)

// Target is a destination as the client sent it.
type Target struct {
	ATYP byte
	Name string     // if ATYP is Name
	IP   netip.Addr // if ATYP is IPv4 or IPv6
	Port uint16
}

// String returns host:port.
func (t Target) String() string {
	host := t.Name
	if t.IP.IsValid() {
		host = t.IP.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(t.Port)))
}

func newTarget(a wire.Addr) Target {
	t := Target{ATYP: Name, Name: a.Name, IP: a.IP, Port: a.Port}
	switch {
	case a.IP.Is4():
		t.ATYP = IPv4
	case a.IP.Is6():
		t.ATYP = IPv6
	}
	return t
}

func (t Target) addr() wire.Addr { return wire.Addr{Name: t.Name, IP: t.IP, Port: t.Port} }

// Request is a request that the gateway has read.
type Request struct {
	Conn    int // the client's connection, counted from 0
	User    string
	Command wire.Command
	Target
}

// Datagram is a destination of datagrams in an association. Each destination is recorded once.
type Datagram struct {
	Conn int // the association's control connection
	Target
}

// Outcome is the result of a request.
type Outcome struct {
	Reply  byte     // REP, RFC 1928, section 6
	Bound  Target   // BND.ADDR and BND.PORT
	Remote net.Addr // the peer of the outgoing connection; nil: none
}

// replies has the meaning of each REP (RFC 1928, section 6).
var replies = [...]string{
	wire.Succeeded:             "succeeded",
	repGeneralFailure:          "general failure",
	repNotAllowed:              "not allowed",
	repNetworkUnreachable:      "network unreachable",
	repHostUnreachable:         "host unreachable",
	repRefused:                 "connection refused",
	repTTLExpired:              "TTL expired",
	repCommandNotSupported:     "command not supported",
	repAddressTypeNotSupported: "address type not supported",
}

// String returns the meaning of o.Reply.
func (o Outcome) String() string {
	if int(o.Reply) < len(replies) {
		return replies[o.Reply]
	}
	return fmt.Sprintf("reply %d", o.Reply)
}

// Requests returns the requests since the start or the last Reset, in the order in which they were read.
func (g *Gateway) Requests() []Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.requests)
}

// Datagrams returns the destinations of datagrams since the start or the last Reset.
func (g *Gateway) Datagrams() []Datagram {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.datagrams)
}

// Reset discards the recorded requests and datagrams.
func (g *Gateway) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests, g.datagrams = nil, nil
}

func (g *Gateway) recordRequest(r Request) {
	if !g.Forgetful {
		g.mu.Lock()
		g.requests = append(g.requests, r)
		g.mu.Unlock()
	}
	if g.OnRequest != nil {
		g.OnRequest(r)
	}
}

func (g *Gateway) recordDatagram(d Datagram) {
	if g.Forgetful {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.datagrams = append(g.datagrams, d)
}

func targetOf(ap netip.AddrPort) Target {
	return newTarget(wire.Addr{IP: ap.Addr().Unmap().WithZone(""), Port: ap.Port()})
}
