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
	if e := (*net.DNSError)(nil); errors.As(err, &e) {
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

// canonical is the one form of a name. Its error is a mapping.ErrBadName with the reason.
func canonical(name string) (string, error) {
	c, err := names.Canonical(name)
	if err != nil {
		return "", failure(name, fmt.Errorf("%w: %w", mapping.ErrBadName, err))
	}
	return c, nil
}

// misbehaving is what package net says of a server that neither knows a name nor denies it.
func misbehaving(name, server string) *net.DNSError {
	return &net.DNSError{Err: "server misbehaving", Name: name, Server: server, IsTemporary: true}
}
