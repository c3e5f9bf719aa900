package sockstest

import (
	"net"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// Command is the CMD of a request (RFC 1928, section 4).
type Command byte

// The commands of RFC 1928 and of Tor.
const (
	Connect    Command = 0x01 // CONNECT
	Bind       Command = 0x02 // BIND
	Associate  Command = 0x03 // UDP ASSOCIATE
	Resolve    Command = 0xf0 // Tor's RESOLVE
	ResolvePTR Command = 0xf1 // Tor's RESOLVE_PTR
)

// String returns the RFC's name of the command, such as "CONNECT" or "UDP ASSOCIATE".
func (c Command) String() string { return wire.Command(c).String() }

// Request is a request that a [Server] has read.
type Request struct {
	Conn    int    // the client's connection, counted from 0
	User    string // the authenticated user; empty without authentication
	Command Command
	Address string // host:port as the client sent it; a name is not resolved
}

// Datagram is a destination of datagrams in an association. Each destination is recorded once.
type Datagram struct {
	Conn    int    // the connection on which the association was requested
	Address string // host:port as the client sent it; a name is not resolved
}

// Outcome is the result of a request.
type Outcome struct {
	Reply  socks.Reply // 0: granted
	Bound  string      // host:port of BND.ADDR and BND.PORT
	Remote net.Addr    // the peer that the Server is connected to; nil: none
}

func newRequest(r testgw.Request) Request {
	return Request{Conn: r.Conn, User: r.User, Command: Command(r.Command), Address: r.Target.String()}
}

func newOutcome(o testgw.Outcome) Outcome {
	return Outcome{Reply: socks.Reply(o.Reply), Bound: o.Bound.String(), Remote: o.Remote}
}

// Requests returns the requests since the first start or the last Reset, in the order in which they were read.
func (s *Server) Requests() []Request {
	var all []Request
	for _, r := range s.gateway.Requests() {
		all = append(all, newRequest(r))
	}
	return all
}

// Datagrams returns the destinations of datagrams since the first start or the last Reset, in the order of their
// first datagram.
func (s *Server) Datagrams() []Datagram {
	var all []Datagram
	for _, d := range s.gateway.Datagrams() {
		all = append(all, Datagram{Conn: d.Conn, Address: d.Target.String()})
	}
	return all
}

// Reset discards the recorded requests and datagrams.
func (s *Server) Reset() { s.gateway.Reset() }

// Connections returns the number of connected clients.
func (s *Server) Connections() int { return s.gateway.Sessions() }
