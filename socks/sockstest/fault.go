package sockstest

import (
	"context"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
)

// Stage is a kind of message from the [Server]. Later messages have greater values.
type Stage int

// The messages in the order in which the Server sends them.
const (
	StageMethod      Stage = iota + 1 // the method selection
	StageStatus                       // the status of a username and password
	StageReply                        // the reply to a request; for BIND, the first
	StageSecondReply                  // the second reply to BIND
	StageDatagram                     // a datagram of an association
)

// Fault is the misbehaviour of a [Server] on one connection. The fields can be combined. The zero Fault is none.
type Fault struct {
	Silent Stage         // this message and later ones are never sent, and the connection stays open; zero: all are sent
	Delay  time.Duration // before the reply to a request; zero: none
	HangUp bool          // the connection is closed after After bytes, relayed data included
	Reset  bool          // with HangUp: the connection is reset instead of closed
	After  int           // with HangUp: bytes sent before; zero: the first message is not sent
	Drip   bool          // each byte is sent in a separate write

	// Hold is called before each message, and may wait until ctx is done; nil: no wait.
	Hold func(ctx context.Context, at Stage)
	// Answer returns the bytes to send in place of a message. If it returns nil for a datagram, the datagram is
	// dropped. nil: messages are sent as they are.
	Answer func(at Stage, message []byte) []byte
}

// misbehave returns the fault of a connection.
func (s *Server) misbehave(conn int) testgw.Fault {
	f := s.Misbehave(conn)
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
	if f.Answer != nil {
		g.Answer = func(at testgw.Stage, b []byte) []byte { return f.Answer(Stage(at), b) }
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
