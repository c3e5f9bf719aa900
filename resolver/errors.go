package resolver

import (
	"context"
	"errors"
	"net"

	"github.com/sockslib/sockslib/mapping"
)

var (
	errNoTable    = errors.New("resolver has no mapping table")
	errNoResolver = errors.New("DNS server has no Resolver with a Table")
	errNoUpstream = errors.New("verifying a name needs an Upstream")
	errNoDial     = errors.New("upstream has no Dial")
	errNoConn     = errors.New("upstream's Dial returned no connection")
	errMalformed  = errors.New("DNS response contained records which contain invalid names")
)

// notFound returns package net's error for a name that does not exist.
func notFound(name, server string) *net.DNSError {
	return &net.DNSError{Err: "no such host", Name: name, Server: server, IsNotFound: true}
}

// failure converts any error to a *net.DNSError that wraps it for errors.Is. It returns a *net.DNSError in err as it is.
func failure(name string, err error) *net.DNSError {
	if e, ok := asDNSError(err); ok {
		return e
	}
	e := &net.DNSError{Err: err.Error(), Name: name, UnwrapErr: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Err = "operation was canceled" // package net's words
	case errors.Is(err, context.DeadlineExceeded):
		e.Err, e.IsTimeout, e.IsTemporary = "i/o timeout", true, true
	case errors.Is(err, mapping.ErrBadName):
		e.IsNotFound = true // as in package net's error for a name that no DNS can have
	case errors.Is(err, mapping.ErrFull):
		e.IsTemporary = true
	default:
		var timeout net.Error
		e.IsTimeout = errors.As(err, &timeout) && timeout.Timeout()
	}
	return e
}

// asDNSError returns the *net.DNSError in the tree of an error, and reports whether there is one.
func asDNSError(err error) (e *net.DNSError, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}

// isNotFound reports whether an error says that a name does not exist.
func isNotFound(err error) bool {
	e, ok := asDNSError(err)
	return ok && e.IsNotFound
}

// misbehaving returns package net's error for a server that answers neither NOERROR nor NXDOMAIN.
func misbehaving(name, server string) *net.DNSError {
	return &net.DNSError{Err: "server misbehaving", Name: name, Server: server, IsTemporary: true}
}
