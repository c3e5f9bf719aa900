package socks

import (
	"errors"
	"fmt"

	"github.com/sockslib/sockslib/internal/errno"
)

// Reply is the REP byte of a reply that refuses a request (RFC 1928, section 6), or one of Tor's extended errors.
// It is an error, and matches the system's error of the same meaning: errors.Is(ErrConnectionRefused,
// syscall.ECONNREFUSED).
type Reply byte

// The replies of RFC 1928.
const (
	ErrGeneralFailure          Reply = 1 // matches no other error
	ErrNotAllowed              Reply = 2 // EACCES: the gateway's rules forbid it
	ErrNetworkUnreachable      Reply = 3 // ENETUNREACH
	ErrHostUnreachable         Reply = 4 // EHOSTUNREACH; most gateways also send it for unknown names
	ErrConnectionRefused       Reply = 5 // ECONNREFUSED
	ErrTTLExpired              Reply = 6 // ETIMEDOUT, and Timeout is true
	ErrCommandNotSupported     Reply = 7 // errors.ErrUnsupported
	ErrAddressTypeNotSupported Reply = 8 // errors.ErrUnsupported
)

// The replies of Tor's SocksPort with ExtendedErrors, about onion services.
const (
	ErrOnionNotFound         Reply = 0xf0 // there is no descriptor of the service
	ErrOnionInvalid          Reply = 0xf1 // the descriptor is invalid
	ErrOnionIntroFailed      Reply = 0xf2 // the introduction failed
	ErrOnionRendezvousFailed Reply = 0xf3 // the rendezvous failed
	ErrOnionMissingAuth      Reply = 0xf4 // the service wants a client authorization
	ErrOnionWrongAuth        Reply = 0xf5 // the service refuses the client authorization
	ErrOnionBadAddress       Reply = 0xf6 // the address is invalid
	ErrOnionIntroTimedOut    Reply = 0xf7 // the introduction timed out; Timeout is true
)

var replyTexts = map[Reply]string{
	ErrGeneralFailure:          "general failure",
	ErrNotAllowed:              "not allowed by the gateway's rules",
	ErrNetworkUnreachable:      "network unreachable",
	ErrHostUnreachable:         "host unreachable",
	ErrConnectionRefused:       "connection refused",
	ErrTTLExpired:              "TTL expired",
	ErrCommandNotSupported:     "command not supported",
	ErrAddressTypeNotSupported: "address type not supported",
	ErrOnionNotFound:           "onion service descriptor not found",
	ErrOnionInvalid:            "onion service descriptor invalid",
	ErrOnionIntroFailed:        "onion service introduction failed",
	ErrOnionRendezvousFailed:   "onion service rendezvous failed",
	ErrOnionMissingAuth:        "onion service wants a client authorization",
	ErrOnionWrongAuth:          "onion service refuses the client authorization",
	ErrOnionBadAddress:         "onion address invalid",
	ErrOnionIntroTimedOut:      "onion service introduction timed out",
}

// Error returns the meaning of the REP byte.
func (r Reply) Error() string {
	if text, ok := replyTexts[r]; ok {
		return text
	}
	return fmt.Sprintf("reply %#02x", byte(r))
}

// system returns the system's error of the same meaning, or nil.
func (r Reply) system() error {
	switch r {
	case ErrNotAllowed:
		return errno.EACCES
	case ErrNetworkUnreachable:
		return errno.ENETUNREACH
	case ErrHostUnreachable:
		return errno.EHOSTUNREACH
	case ErrConnectionRefused:
		return errno.ECONNREFUSED
	case ErrTTLExpired:
		return errno.ETIMEDOUT
	case ErrCommandNotSupported, ErrAddressTypeNotSupported:
		return errno.ENOSYS // matches errors.ErrUnsupported
	}
	return nil
}

// Is reports whether target is the system's error of the same meaning, for [errors.Is].
func (r Reply) Is(target error) bool {
	system := r.system()
	return system != nil && errors.Is(system, target)
}

// Timeout reports whether r is [ErrTTLExpired] or [ErrOnionIntroTimedOut].
func (r Reply) Timeout() bool { return r == ErrTTLExpired || r == ErrOnionIntroTimedOut }

// Temporary returns the same as Timeout. It makes Reply a [net.Error], in which it is deprecated.
func (r Reply) Temporary() bool { return r.Timeout() }
