package testgw

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/sockslib/sockslib/internal/errno"
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

// unspecified is the BND.ADDR and BND.PORT of a reply without an address.
var unspecified = Target{ATYP: IPv4, IP: netip.IPv4Unspecified()}

func unspecifiedLike(ip netip.Addr) netip.Addr {
	if ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// replyTo returns the REP for err (RFC 1928, section 6).
func replyTo(err error) byte {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, errno.ECONNREFUSED):
		return repRefused
	case errors.Is(err, errno.EHOSTUNREACH), errors.As(err, &dns):
		return repHostUnreachable
	case errors.Is(err, errno.ENETUNREACH), errors.Is(err, errno.EADDRNOTAVAIL), errors.Is(err, errno.EAFNOSUPPORT):
		return repNetworkUnreachable // the last two: this machine lacks the family
	case errors.Is(err, errno.EACCES), errors.Is(err, errno.EPERM):
		return repNotAllowed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return repTTLExpired
	case errors.Is(err, errors.ErrUnsupported):
		return repCommandNotSupported // by the next gateway
	}
	return repGeneralFailure
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
	if !s.g.Quirks.sendsReply(o.Reply) {
		return nil
	}
	b, err := s.g.Quirks.encode(o.Reply, s.g.Quirks.bound(at, o, s.request))
	if err != nil {
		return err
	}
	return s.answer(ctx, at, b)
}
