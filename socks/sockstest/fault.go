package sockstest

import (
	"context"
	"net/netip"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
)

// Stage is an answer of the Server. Later ones are greater.
type Stage int

// The answers in the order in which they are given.
const (
	StageMethod      Stage = iota + 1 // the choice of a method
	StageStatus                       // the answer to a username and password
	StageReply                        // the reply to a request; of BIND, the first
	StageSecondReply                  // of BIND
	StageDatagram                     // a datagram of an association
)

// Fault is what a Server does wrong on one connection. What the fields ask for happens together. The zero
// Fault is nothing.
type Fault struct {
	Silent Stage         // this answer and later ones are never given, and the connection stays open; zero: all are given
	Delay  time.Duration // before the reply to a request; zero: none
	HangUp bool          // the connection is closed when After bytes were sent, relayed data included
	Reset  bool          // with HangUp: it is reset instead
	After  int           // with HangUp; zero: instead of the first answer
	Drip   bool          // each byte is sent in a write of its own

	// Hold is called before each answer, and may wait until ctx is done; nil: nothing waits.
	Hold func(ctx context.Context, at Stage)
	// Answer returns what is sent for an answer; nil: the answer. A nil datagram is dropped.
	Answer func(at Stage, answer []byte) []byte
}

// misbehave is the fault of a connection, with what Advertise asks for.
func (s *Server) misbehave(conn int) testgw.Fault {
	var f Fault
	if s.Misbehave != nil {
		f = s.Misbehave(conn)
	}
	g := testgw.Fault{Silent: testgw.Stage(f.Silent), Drip: f.Drip, After: f.After}
	if f.HangUp {
		g.End = testgw.FIN
		if f.Reset {
			g.End = testgw.RST
		}
	}
	if f.Hold != nil || f.Delay > 0 {
		g.Hold = f.hold
	}
	if f.Answer != nil || s.Advertise.IsValid() {
		g.Answer = func(at testgw.Stage, b []byte) []byte {
			if s.Advertise.IsValid() {
				b = advertise(s.Advertise, at, b)
			}
			if f.Answer != nil {
				b = f.Answer(Stage(at), b)
			}
			return b
		}
	}
	return g
}

func (f Fault) hold(ctx context.Context, at testgw.Stage) {
	if f.Delay > 0 {
		testgw.Delay(testgw.StageReply, f.Delay)(ctx, at)
	}
	if f.Hold != nil {
		f.Hold(ctx, Stage(at))
	}
}

// advertise puts ip into the BND.ADDR of a reply that grants something.
func advertise(ip netip.Addr, at testgw.Stage, b []byte) []byte {
	if at != testgw.StageReply || b[1] != wire.Succeeded {
		return b
	}
	port := b[len(b)-2:]
	reply, err := wire.AppendReply(nil, wire.Succeeded, wire.Addr{IP: ip, Port: uint16(port[0])<<8 | uint16(port[1])})
	if err != nil {
		return b // never: every IP can be written
	}
	return reply
}
