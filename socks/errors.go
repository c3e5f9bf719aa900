package socks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// What an error of this package matches by errors.Is, beside a [Reply], the cause, and the context's error.
var (
	// ErrGateway: the gateway cannot be reached, or hung up before it answered.
	ErrGateway = errors.New("SOCKS gateway failed")
	// ErrNoAcceptableAuth: the gateway takes none of the methods that were offered.
	ErrNoAcceptableAuth = errors.New("the gateway accepts none of the authentication methods offered")
	// ErrAuthFailed: the gateway refused the username or password.
	ErrAuthFailed = errors.New("the gateway refused the credentials")
	// ErrProtocol: what the gateway sent is not SOCKS 5, or not an answer to what it was asked.
	ErrProtocol = errors.New("the gateway broke the protocol")
)

// Op of the *net.OpError that every error is.
const (
	opConnect   = "socks connect"
	opBind      = "socks bind"
	opAssociate = "socks associate"
)

// opFor is the operation of a dial.
func opFor(network string) string {
	if proto, err := transport(network); err == nil && proto == "udp" {
		return opAssociate
	}
	return opConnect
}

// opError wraps err in the *net.OpError that package net's users look for. It keeps nil.
func (c *Client) opError(op, network string, dst net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: network, Source: c.source(), Addr: dst, Err: err}
}

// source is the gateway's address for an error.
func (c *Client) source() net.Addr {
	network := c.network()
	if network == "unix" {
		return &net.UnixAddr{Name: c.Addr, Net: network}
	}
	return asGiven{network, c.Addr}
}

// asGiven is an address that has not been parsed: it may be what the error is about.
type asGiven struct{ network, address string }

func (a asGiven) Network() string { return a.network }

// String quotes what could spoil a log.
func (a asGiven) String() string {
	if quoted := strconv.QuoteToASCII(a.address); quoted != `"`+a.address+`"` {
		return quoted
	}
	return a.address
}

// gatewayError is ErrGateway with its cause.
type gatewayError struct {
	doing string
	err   error
}

func gatewayFailed(doing string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &gatewayError{doing, errHungUp}
	}
	return &gatewayError{doing, err}
}

// errHungUp is an io.ErrUnexpectedEOF that says what it means here.
var errHungUp = fmt.Errorf("the gateway hung up: %w", io.ErrUnexpectedEOF)

func (e *gatewayError) Error() string        { return e.doing + ": " + e.err.Error() }
func (e *gatewayError) Is(target error) bool { return target == ErrGateway }
func (e *gatewayError) Unwrap() error        { return e.err }
func (e *gatewayError) Temporary() bool      { return e.Timeout() }
func (e *gatewayError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// readFailed judges an error of reading the gateway's answer: what is malformed breaks the protocol,
// everything else is the connection's end.
func readFailed(doing string, err error) error {
	if errors.Is(err, wire.ErrFormat) {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return gatewayFailed(doing, err)
}

// replyFailed is the error for a REP. Most gateways give the same one for a name that they do not know
// and for a host that they cannot reach, RFC 3089, section 3: the error says so.
func replyFailed(rep byte, dst *Addr) error {
	r := Reply(rep)
	if !dst.IP.IsValid() && dst.Name != "" && (r == ErrHostUnreachable || r == ErrGeneralFailure) {
		return fmt.Errorf("%w, or the gateway does not know the name", r)
	}
	return r
}

// contextFailed replaces err by the context's own when that has ended, whatever the socket said. The
// limit is the Client's Timeout within ctx.
func contextFailed(ctx, limit context.Context, asked bool, err error) error {
	switch {
	case ended(ctx) != nil:
		return ended(ctx)
	case ended(limit) != nil && asked:
		return os.ErrDeadlineExceeded // the gateway is there; what it reaches for is slow
	case ended(limit) != nil:
		return gatewayFailed("handshake", os.ErrDeadlineExceeded)
	}
	return err
}

// ended is ctx.Err, but for the moment in which a socket sees a deadline before the context does.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
