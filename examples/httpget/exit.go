package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// The exit statuses; the program's comment explains them.
const (
	exitOK          = 0
	exitOther       = 1
	exitUsage       = 2
	exitGateway     = 5
	exitCredentials = 6
	exitDestination = 7
	exitName        = 8
	exitStatus      = 22
	exitTimeout     = 28
)

// failure is an error with its exit status and its meaning for the user.
type failure struct {
	code int
	what string // empty: err has it
	err  error
}

func (f *failure) Error() string {
	if f.what == "" {
		return f.err.Error()
	}
	return fmt.Sprintf("%s: %v", f.what, f.err)
}

func (f *failure) Unwrap() error { return f.err }

func usage(err error) error { return &failure{code: exitUsage, err: err} }

// explain returns a *failure for the error of a request to host. reached says how far the request got.
func explain(err error, host, reached string) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the URL
	}
	code, what := judge(err, host, reached)
	return &failure{code: code, what: what, err: err}
}

// judge looks at errors of the gateway first, then at errors behind it.
func judge(err error, host, reached string) (code int, what string) {
	var reply socks.Reply
	var unknown *net.DNSError
	var bad *net.AddrError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout, "timed out waiting for " + reached
	case errors.Is(err, socks.ErrAuthFailed), errors.Is(err, socks.ErrNoAcceptableAuth):
		return exitCredentials, "the gateway does not let us in"
	case errors.Is(err, socks.ErrGateway), errors.Is(err, socks.ErrProtocol):
		return exitGateway, "the gateway is not working"
	case errors.As(err, &reply):
		return judgeReply(reply, host)
	case errors.As(err, &unknown): // of NO_PROXY
		return exitName, "the name is not known"
	case errors.Is(err, mapping.ErrBadName), errors.As(err, &bad):
		return exitUsage, "the URL's host is no name"
	case errors.As(err, &op) && op.Op == "dial":
		return exitDestination, "the destination cannot be reached"
	}
	return exitOther, "the transfer failed"
}

// judgeReply is judge for a reply of the gateway. For an unknown name, most gateways reply that the host is
// unreachable, and some that there was a general failure.
func judgeReply(reply socks.Reply, host string) (code int, what string) {
	_, err := netip.ParseAddr(host)
	isName := err != nil
	switch {
	case reply.Timeout():
		return exitTimeout, "the destination does not answer the gateway"
	case isName && (reply == socks.ErrHostUnreachable || reply == socks.ErrGeneralFailure):
		return exitName, "the gateway does not know the name or cannot reach its host"
	}
	return exitDestination, "the gateway cannot connect to the destination"
}
