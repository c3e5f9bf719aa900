package testgw

import (
	"bufio"
	"bytes"

	"github.com/sockslib/sockslib/internal/wire"
)

// Quirks imitate what gateways in use do, against the RFCs or beside them. The zero Quirks are none.
type Quirks struct {
	OneRecv            bool // microsocks: a message is what one read returns; what is more is lost, what is less is refused
	MissingMethodReply bool // tor: no method reply when the username and password came along with the methods; nor a status when the request did too and cannot be understood
	Method0Unoffered   bool // chooses method 0 whatever was offered
	NoReplyOnError     bool // ssh -D: hangs up instead
	NameInErrorReply   bool // danted: the BND of an error is the name asked for, or a name of no length
	ShortErrorReply    int  // replies that are errors end after so many bytes, at least 2; zero: at their end
	UnspecifiedBound   bool // microsocks, tor, wzshiming: BND has the unspecified address, and port 0 for CONNECT
	ReplyInTwoWrites   bool // wzshiming
	AnswerWithName     bool // things-go, txthinking: datagrams come from the name to which one was sent
	OneDestination     bool // an association is for the first destination alone; datagrams to others are lost
}

// receive prepares for the next message of the client.
func (s *session) receive() error {
	switch {
	case s.g.Quirks.OneRecv:
		buf := make([]byte, 1024)
		n, err := s.conn.Read(buf)
		if err != nil {
			return err
		}
		s.r.Reset(bytes.NewReader(buf[:n]))
	case s.g.Quirks.MissingMethodReply && s.ahead == nil:
		s.ahead = bufio.NewReader(s.conn)
		s.r.Reset(s.ahead)
	}
	return nil
}

// pipelined reports whether more than the message just read had come with it. It only knows when it
// matters.
func (s *session) pipelined() bool { return s.ahead != nil && s.ahead.Buffered() > 0 }

// takeEarly keeps what was read behind the request for the destination.
func (s *session) takeEarly() {
	if s.ahead != nil {
		s.early, _ = s.ahead.Peek(s.ahead.Buffered())
	}
}

// answers reports whether a reply is given at all.
func (q Quirks) answers(rep byte) bool { return rep == wire.Succeeded || !q.NoReplyOnError }

// bound is the BND that a reply shows.
func (q Quirks) bound(o Outcome, r Request) Target {
	switch {
	case o.Reply != wire.Succeeded && q.NameInErrorReply:
		return Target{ATYP: Name, Name: r.Name}
	case o.Reply == wire.Succeeded && q.UnspecifiedBound && o.Bound.IP.IsValid() && r.Command <= wire.Associate:
		b := Target{ATYP: o.Bound.ATYP, IP: unspecifiedLike(o.Bound.IP), Port: o.Bound.Port}
		if r.Command == wire.Connect {
			b.Port = 0
		}
		return b
	}
	return o.Bound
}

// encode writes a reply.
func (q Quirks) encode(rep byte, bound Target) ([]byte, error) {
	b := []byte{wire.Version, rep, 0, Name, 0, 0, 0} // a name of no length, which wire refuses to write
	if bound.IP.IsValid() || bound.Name != "" {
		var err error
		if b, err = wire.AppendReply(nil, rep, bound.addr()); err != nil {
			return nil, err
		}
	}
	if rep != wire.Succeeded && q.ShortErrorReply > 0 {
		b = b[:min(len(b), q.ShortErrorReply)]
	}
	return b, nil
}

// writes cuts an answer into what is written at once.
func (q Quirks) writes(at Stage, b []byte) [][]byte {
	const head = 3 // VER, REP, RSV
	if q.ReplyInTwoWrites && at >= StageReply && len(b) > head {
		return [][]byte{b[:head], b[head:]}
	}
	return [][]byte{b}
}
