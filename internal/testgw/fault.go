package testgw

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// Stage is a kind of message from the gateway. Later messages have greater values.
type Stage int

const (
	StageMethod      Stage = iota + 1 // the method selection
	StageStatus                       // the status of a username and password
	StageReply                        // the reply to a request; the first reply of BIND
	StageSecondReply                  // the second reply of BIND
	StageDatagram                     // a datagram from a relay
)

// End is how a connection ends.
type End int

const (
	Open  End = iota // it does not end
	FIN              // the gateway closes its sending side
	RST              // the gateway resets it, if the transport can
	Stall            // it stays open, but the gateway sends no more
)

// Fault is the misbehaviour of the gateway on one connection. The zero Fault is none. The fields combine. Byte
// numbers count all bytes that the gateway sends on the connection, in answers and relayed data.
type Fault struct {
	Silent Stage                                // this answer and later ones are not sent, and the connection stays open; zero: all are sent
	Hold   func(ctx context.Context, at Stage)  // called before an answer; may wait until ctx is done; nil: no answer waits
	Answer func(at Stage, answer []byte) []byte // returns the bytes to send for an answer; a nil datagram is dropped; nil: the answer itself

	End   End // how the connection ends once After bytes have been sent; at the first answer if After is 0
	After int

	Split int           // the sent bytes are cut in two before the byte with this number, counted from 0; zero: no cut
	Drip  bool          // the bytes are sent one per segment
	Pause time.Duration // between the pieces of Split and Drip
	Join  bool          // a reply that grants a stream is held until the destination's first data, and sent in one segment with it
}

// Delay returns a Hold that waits for d, or until ctx is done, before the answers of stage at.
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

// bend gives s the fault f. It wraps s.conn only if f changes the sent bytes: a wrapped connection cannot splice.
func (s *session) bend(f Fault) {
	s.fault = f
	if f.End != Open || f.Split > 0 || f.Drip {
		s.conn = &bentConn{Conn: s.conn, fault: f}
	}
}

// answer sends an answer of the gateway, as changed by the fault.
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

// spoil applies Hold, Silent and Answer of the fault to an answer, and returns the bytes to send.
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

// bentConn writes in pieces, and only as many bytes as the fault allows. One goroutine at a time writes.
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

// piece returns the number of bytes, of n, to write next.
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

// end ends the connection as the fault says, and returns the error that ends the session.
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
