package testgw

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// Stage is an answer of the gateway. Later ones are greater.
type Stage int

const (
	StageMethod      Stage = iota + 1 // the choice of a method
	StageStatus                       // the answer to a username and password
	StageReply                        // the reply to a request; of BIND, the first
	StageSecondReply                  // of BIND
	StageDatagram                     // a datagram from a relay
)

// End is how a connection ends.
type End int

const (
	Open  End = iota // not at all
	FIN              // as after the last byte
	RST              // reset, where the transport has that
	Stall            // not at all, but nothing more is sent
)

// Fault is what the gateway does wrong on one connection. The zero Fault is nothing. The fields combine. Bytes are
// counted over all that the gateway sends on the connection, answers and relayed data alike.
type Fault struct {
	Silent Stage                                // this answer and later ones are never given, and the connection stays open; zero: all are given
	Hold   func(ctx context.Context, at Stage)  // called before an answer; may wait until ctx is done; nil: no answer waits
	Answer func(at Stage, answer []byte) []byte // returns what is sent for an answer; a nil datagram is dropped; nil: the answer itself

	End   End // of the connection, once After bytes have been sent; at the first answer when After is 0
	After int

	Split int           // what is sent is cut in two before the byte with this number; zero: it is not
	Drip  bool          // what is sent goes out one byte per segment
	Pause time.Duration // between such pieces
	Join  bool          // a reply that grants a stream waits for the destination's first data and goes out in one segment with it
}

// Delay is a Hold that waits before one answer.
func Delay(at Stage, d time.Duration) func(context.Context, Stage) {
	return func(ctx context.Context, stage Stage) {
		if stage != at {
			return
		}
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}

var errEnded = errors.New("ended by the fault")

// bend makes s misbehave. Without a fault that concerns what is sent, s.conn stays as it is, and splices.
func (s *session) bend(f Fault) {
	s.fault = f
	if f.End != Open || f.Split > 0 || f.Drip {
		s.conn = &bentConn{Conn: s.conn, fault: f}
	}
}

// answer sends an answer of the gateway, or what the fault makes of it.
func (s *session) answer(ctx context.Context, at Stage, b []byte) error {
	b, err := s.spoil(ctx, at, b)
	if err != nil {
		return err
	}
	stream := s.request.Command == wire.Connect || at == StageSecondReply
	if s.fault.Join && at >= StageReply && stream && b[1] == wire.Succeeded {
		s.held = b
		return nil
	}
	for _, piece := range s.g.Quirks.writes(at, b) {
		if _, err := s.conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// spoil does what a fault does to an answer before it is sent.
func (s *session) spoil(ctx context.Context, at Stage, b []byte) ([]byte, error) {
	if s.fault.Hold != nil {
		s.fault.Hold(ctx, at)
	}
	if s.fault.Silent != 0 && at >= s.fault.Silent {
		return nil, errSilent
	}
	if s.fault.Answer != nil {
		b = s.fault.Answer(at, b)
	}
	return b, nil
}

// bentConn sends in pieces, and not more than the fault lets through. One goroutine at a time writes.
type bentConn struct {
	net.Conn
	fault Fault
	sent  int
}

func (c *bentConn) NetConn() net.Conn { return c.Conn }

func (c *bentConn) CloseWrite() error {
	closeWrite(c.Conn)
	return nil
}

func (c *bentConn) Write(b []byte) (int, error) {
	var written int
	for {
		if c.fault.End != Open && c.sent >= c.fault.After {
			return written, c.end()
		}
		if len(b) == 0 {
			return written, nil
		}
		if written > 0 {
			time.Sleep(c.fault.Pause)
		}
		n, err := c.Conn.Write(b[:c.piece(len(b))])
		b, written, c.sent = b[n:], written+n, c.sent+n
		if err != nil {
			return written, err
		}
	}
}

// piece returns how many of n bytes go out together.
func (c *bentConn) piece(n int) int {
	if c.fault.Drip {
		return 1
	}
	if c.sent < c.fault.Split {
		n = min(n, c.fault.Split-c.sent)
	}
	if c.fault.End != Open {
		n = min(n, c.fault.After-c.sent)
	}
	return n
}

// end does what the fault does to the connection, and returns the error that ends the session.
func (c *bentConn) end() error {
	switch c.fault.End {
	case Stall:
		return errSilent
	case RST:
		abort(c.Conn)
	default:
		closeWrite(c.Conn)
	}
	return errEnded
}
