package testgw

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/sockslib/sockslib/internal/wire"
)

// session is the connection of one client. The goroutine of serve uses it.
type session struct {
	g          *Gateway
	raw        net.Conn // as accepted
	conn       net.Conn // raw, wrapped by TLS, by the fault and by the method, as far as there are any
	r          *wire.Reader
	fault      Fault
	request    Request
	ahead      *bufio.Reader // reads conn; nil unless a quirk reads ahead
	early      []byte        // bytes after the request that were read before they could be relayed
	owesStatus bool          // see Quirks.MissingMethodReply
	held       []byte        // a reply held until the first data, see Fault.Join
}

// errSilent ends the answers of a session. Its connection stays open until the client closes it.
var errSilent = errors.New("silent")

// errRefused ends a session whose client has been refused.
var errRefused = errors.New("refused")

func (g *Gateway) serve(ctx context.Context, id int, raw net.Conn) {
	defer raw.Close()
	// A reset, so that the client does not take the end for EOF.
	defer context.AfterFunc(ctx, func() { abort(raw) })()

	s := &session{g: g, raw: raw, conn: raw, request: Request{Conn: id}}
	if g.TLS != nil {
		s.conn = tls.Server(raw, g.TLS)
	}
	if g.Misbehave != nil {
		s.bend(g.Misbehave(id))
	}
	s.r = wire.NewReader(s.conn)
	switch err := s.handshake(ctx); {
	case ctx.Err() != nil:
		abort(raw)
	case errors.Is(err, errSilent):
		s.wait()
	default:
		s.hangUp()
	}
}
