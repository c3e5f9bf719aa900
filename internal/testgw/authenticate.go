package testgw

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"slices"

	"github.com/sockslib/sockslib/internal/wire"
)

const statusFailure = 1 // RFC 1929, section 2: anything but 0

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
	if !s.owesStatus {
		if err := s.answerMethod(ctx, method); err != nil {
			return err
		}
	}
	return s.runMethod(ctx, method)
}

// answerMethod sends the method selection.
func (s *session) answerMethod(ctx context.Context, method byte) error {
	if method == wire.MethodNoAcceptable && s.g.Quirks.NoReplyOnError {
		return errRefused
	}
	return s.answer(ctx, StageMethod, wire.AppendMethod(nil, method))
}

// runMethod authenticates the client by the selected method.
func (s *session) runMethod(ctx context.Context, method byte) error {
	if negotiate, ok := s.g.Methods[method]; ok {
		return s.negotiate(ctx, negotiate)
	}
	switch method {
	case wire.MethodNone:
		return nil
	case wire.MethodUserPass:
		return s.checkPassword(ctx)
	}
	return errRefused // none was acceptable
}

// negotiate runs one of the Gateway's Methods.
func (s *session) negotiate(ctx context.Context, method func(context.Context, net.Conn) (net.Conn, string, error)) error {
	conn, user, err := method(ctx, s.conn)
	if err != nil {
		return errors.Join(err, errRefused)
	}
	s.conn, s.request.User = conn, user
	s.r.Reset(conn)
	return nil
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

// choose returns the method to select from those that the client offers.
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
