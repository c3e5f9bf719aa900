package testgw

import (
	"bufio"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/internal/wire"
)

// REP bytes, RFC 1928, section 6.
const (
	repGeneralFailure          = 1
	repNotAllowed              = 2
	repNetworkUnreachable      = 3
	repHostUnreachable         = 4
	repRefused                 = 5
	repTTLExpired              = 6
	repCommandNotSupported     = 7
	repAddressTypeNotSupported = 8
)

const statusFailure = 1 // RFC 1929, section 2: anything but 0

// Minimum lengths of a greeting, with one method, and of a request, with an empty name.
const (
	minGreeting = 3
	minRequest  = 3 + 1 + 1 + 2
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

// handshake authenticates the client, reads its request and serves it. Of its errors only errSilent matters.
func (s *session) handshake(ctx context.Context) error {
	if err := s.authenticate(ctx); err != nil {
		return err
	}
	switch err := s.readRequest(); {
	case errors.Is(err, wire.ErrAddressType):
		return s.refuse(ctx, repAddressTypeNotSupported)
	case err != nil && s.g.Quirks.OneRecv:
		return s.refuse(ctx, repGeneralFailure)
	case err != nil:
		return err
	}
	s.g.recordRequest(s.request)
	if s.owesStatus && s.commandKnown() {
		if err := s.answer(ctx, StageStatus, wire.AppendStatus(nil, wire.StatusSuccess)); err != nil {
			return err
		}
	}
	if s.g.Refuse != nil {
		if rep := s.g.Refuse(s.request); rep != wire.Succeeded {
			return s.refuse(ctx, rep)
		}
	}
	switch s.request.Command {
	case wire.Connect:
		return s.connect(ctx)
	case wire.Bind:
		return s.bind(ctx)
	case wire.Associate:
		return s.associate(ctx)
	case wire.Resolve:
		return s.resolve(ctx)
	case wire.ResolvePTR:
		return s.resolvePTR(ctx)
	}
	return s.refuse(ctx, repCommandNotSupported)
}

// readRequest reads the request into s.request.
func (s *session) readRequest() error {
	if err := s.receive(); err != nil {
		return err
	}
	s.r.Owe(minRequest)
	head, err := s.r.Peek(4)
	if err != nil {
		return err
	}
	atyp := head[3]
	command, dst, err := s.r.ReadRequest()
	if err != nil {
		return err
	}
	s.request.Command, s.request.Target = command, newTarget(dst)
	s.request.ATYP = atyp // may differ from dst's: an IPv4-mapped address becomes IPv4
	s.takeEarly()
	return nil
}

func (s *session) commandKnown() bool {
	switch s.request.Command {
	case wire.Connect, wire.Bind, wire.Associate, wire.Resolve, wire.ResolvePTR:
		return true
	}
	return false
}

// authenticate selects a method (RFC 1928, section 3) and runs it.
func (s *session) authenticate(ctx context.Context) error {
	if err := s.receive(); err != nil {
		return err
	}
	s.r.Owe(minGreeting)
	offered, err := s.r.ReadMethods()
	if err != nil && !s.g.Quirks.OneRecv {
		return err
	}
	method := s.g.choose(offered)
	s.owesStatus = method == wire.MethodUserPass && s.pipelined()
	if s.owesStatus {
		return s.checkPassword(ctx)
	}
	if method == wire.MethodNoAcceptable && s.g.Quirks.NoReplyOnError {
		return errRefused
	}
	if err := s.answer(ctx, StageMethod, wire.AppendMethod(nil, method)); err != nil {
		return err
	}
	if negotiate, ok := s.g.Methods[method]; ok {
		return s.negotiate(ctx, negotiate)
	}
	switch method {
	case wire.MethodNone:
		return nil
	case wire.MethodUserPass:
		return s.checkPassword(ctx)
	}
	return errRefused
}

// checkPassword runs the username/password method, RFC 1929.
func (s *session) checkPassword(ctx context.Context) error {
	if err := s.receive(); err != nil {
		return err
	}
	user, password, err := s.r.ReadUserPass()
	if err != nil && !s.g.Quirks.OneRecv {
		return err
	}
	if !s.g.admits(user, password) {
		return errors.Join(s.answer(ctx, StageStatus, wire.AppendStatus(nil, statusFailure)), errRefused)
	}
	s.request.User = user
	s.owesStatus = s.owesStatus && s.pipelined()
	if s.owesStatus {
		return nil
	}
	return s.answer(ctx, StageStatus, wire.AppendStatus(nil, wire.StatusSuccess))
}

func (g *Gateway) choose(offered []byte) byte {
	own := slices.IndexFunc(offered, func(method byte) bool { return g.Methods[method] != nil })
	switch {
	case g.Quirks.Method0Unoffered:
		return wire.MethodNone
	case own >= 0:
		return offered[own]
	case len(g.Users) > 0 && slices.Contains(offered, wire.MethodUserPass):
		return wire.MethodUserPass
	case (len(g.Users)+len(g.Methods) == 0 || g.Optional) && slices.Contains(offered, wire.MethodNone):
		return wire.MethodNone
	}
	return wire.MethodNoAcceptable
}

func (g *Gateway) admits(user, password string) bool {
	want, ok := g.Users[user]
	return subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1 && ok
}

// unspecified is the BND.ADDR and BND.PORT of a reply without an address.
var unspecified = Target{ATYP: IPv4, IP: netip.IPv4Unspecified()}

func unspecifiedLike(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func targetOf(ap netip.AddrPort) Target {
	return newTarget(wire.Addr{IP: ap.Addr().Unmap().WithZone(""), Port: ap.Port()})
}

// refuse answers a request with an error reply. The error it returns ends the session.
func (s *session) refuse(ctx context.Context, rep byte) error { return s.fail(ctx, StageReply, rep) }

// fail is like refuse, for any stage.
func (s *session) fail(ctx context.Context, at Stage, rep byte) error {
	return errors.Join(s.reply(ctx, at, Outcome{Reply: rep, Bound: unspecified}), errRefused)
}

// reply sends the reply for o.
func (s *session) reply(ctx context.Context, at Stage, o Outcome) error {
	if s.g.OnReply != nil {
		s.g.OnReply(s.request, o)
	}
	if !s.g.Quirks.answers(o.Reply) {
		return nil
	}
	b, err := s.g.Quirks.encode(o.Reply, s.g.Quirks.bound(at, o, s.request))
	if err != nil {
		return err
	}
	return s.answer(ctx, at, b)
}
