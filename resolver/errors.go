package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/mapping"
)

var (
	errNoTable    = errors.New("resolver has no mapping table")
	errNoResolver = errors.New("DNS server has no Resolver with a Table")
	errNoUpstream = errors.New("verifying a name needs an Upstream")
	errNoDial     = errors.New("upstream has no Dial")
	errMalformed  = errors.New("DNS response contained records which contain invalid names")
)

// notFound is what package net says of a name that does not exist.
func notFound(name, server string) *net.DNSError {
	return &net.DNSError{Err: "no such host", Name: name, Server: server, IsNotFound: true}
}

// failure makes a *net.DNSError of any error. The error itself stays reachable for errors.Is.
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
		e.IsNotFound = true // as package net says of a name that no DNS could have
	case errors.Is(err, mapping.ErrFull):
		e.IsTemporary = true
	default:
		var timeout net.Error
		e.IsTimeout = errors.As(err, &timeout) && timeout.Timeout()
	}
	return e
}

// parse returns the host that an application has given. Its error is a mapping.ErrBadName with the reason.
func parse(text string) (names.Host, error) {
	host, err := names.Parse(text)
	if err != nil {
		return host, failure(text, fmt.Errorf("%w: %w", mapping.ErrBadName, err))
	}
	return host, nil
}

// asDNSError finds the *net.DNSError in an error.
func asDNSError(err error) (e *net.DNSError, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}

func isNotFound(err error) bool {
	e, ok := asDNSError(err)
	return ok && e.IsNotFound
}

// misbehaving is what package net says of a server that neither knows a name nor denies it.
func misbehaving(name, server string) *net.DNSError {
	return &net.DNSError{Err: "server misbehaving", Name: name, Server: server, IsTemporary: true}
}
