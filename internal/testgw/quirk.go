package testgw

import (
	"bufio"
	"bytes"
	"net/netip"

	"github.com/sockslib/sockslib/internal/wire"
)

// Quirks imitate deviations from the RFCs in gateways that are in use. The zero Quirks are none.
type Quirks struct {
	OneRecv            bool // microsocks: each read must return exactly one message; more bytes are lost, fewer are refused
	MissingMethodReply bool // tor: no method reply if the username and password came with the greeting; no status either if the request came too and has an unknown command or ATYP
	Method0Unoffered   bool // method 0 is selected even if it was not offered
	NoReplyOnError     bool // ssh -D: hangs up instead of an error reply
	NameInErrorReply   bool // danted: BND.ADDR of an error reply is the requested name, or an empty name
	ShortErrorReply    int  // error replies end after this many bytes, at least 2; zero: they are complete
	UnspecifiedBound   bool // microsocks, tor, wzshiming: BND.ADDR is unspecified, and BND.PORT is 0 for CONNECT
	ReplyInTwoWrites   bool // wzshiming: a reply is sent in two writes
	AnswerWithName     bool // things-go, txthinking: answers to datagrams for a name have that name as their sender
	OneDestination     bool // an association relays only to its first destination; datagrams to others are lost

	// Advertise is BND.ADDR of the first reply that grants a CONNECT, BIND or UDP ASSOCIATE, as of a gateway behind NAT
	// that knows only its private address. Zero: the real address.
	Advertise netip.Addr
}

// receive prepares s.r for the client's next message, as the quirks say.
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

// pipelined reports whether bytes have come after the message just read. Without Quirks.MissingMethodReply it
// reports false.
func (s *session) pipelined() bool { return s.ahead != nil && s.ahead.Buffered() > 0 }

// takeEarly keeps the bytes that were read after the request, for the destination.
func (s *session) takeEarly() {
	if s.ahead != nil {
		s.early, _ = s.ahead.Peek(s.ahead.Buffered())
	}
}

// sendsReply reports whether a reply with rep is sent.
func (q Quirks) sendsReply(rep byte) bool { return rep == wire.Succeeded || !q.NoReplyOnError }

// bound returns the BND.ADDR and BND.PORT for a reply.
func (q Quirks) bound(at Stage, o Outcome, r Request) Target {
	switch {
	case o.Reply == wire.Succeeded && q.Advertise.IsValid() && at == StageReply && r.Command <= wire.Associate:
		return newTarget(wire.Addr{IP: q.Advertise, Port: o.Bound.Port})
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

// encode returns the bytes of a reply.
func (q Quirks) encode(rep byte, bound Target) ([]byte, error) {
	b := []byte{wire.Version, rep, 0, Name, 0, 0, 0} // an empty name, which package wire refuses
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

// writes returns the parts of an answer to write separately.
func (q Quirks) writes(at Stage, b []byte) [][]byte {
	const head = 3 // VER, REP, RSV
	if q.ReplyInTwoWrites && at >= StageReply && len(b) > head {
		return [][]byte{b[:head], b[head:]}
	}
	return [][]byte{b}
}
