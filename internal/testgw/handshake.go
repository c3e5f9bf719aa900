package testgw

import (
	"context"
	"errors"

	"github.com/sockslib/sockslib/internal/wire"
)

// Minimum lengths of a greeting, with one method, and of a request, with an empty name.
const (
	minGreeting = 3
	minRequest  = 3 + 1 + 1 + 2
)

// commands has the func that serves each command.
var commands = map[wire.Command]func(*session, context.Context) error{
	wire.Connect:    (*session).connect,
	wire.Bind:       (*session).bind,
	wire.Associate:  (*session).associate,
	wire.Resolve:    (*session).resolve,
	wire.ResolvePTR: (*session).resolvePTR,
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
	return s.serveRequest(ctx)
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

// serveRequest answers s.request.
func (s *session) serveRequest(ctx context.Context) error {
	command, known := commands[s.request.Command]
	if s.owesStatus && known {
		if err := s.answer(ctx, StageStatus, wire.AppendStatus(nil, wire.StatusSuccess)); err != nil {
			return err
		}
	}
	if s.g.Refuse != nil {
		if rep := s.g.Refuse(s.request); rep != wire.Succeeded {
			return s.refuse(ctx, rep)
		}
	}
	if !known {
		return s.refuse(ctx, repCommandNotSupported)
	}
	return command(s, ctx)
}
