package socks

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

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

// unsendable counts a request that cannot be sent, and wraps its error.
func (c *Client) unsendable(op, network string, dst net.Addr, err error) error {
	c.countUnsendable()
	return c.opError(op, network, dst, err)
}

// source is the gateway's address for an error.
func (c *Client) source() net.Addr {
	if c == nil {
		return asGiven{"tcp", "<nil>"}
	}
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
	switch {
	case errors.Is(err, wire.ErrFormat):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	case errors.Is(err, ErrGateway):
		return err // it says more already
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

// isLocal reports whether an error is this machine's and not the gateway's.
func isLocal(err error) bool {
	for _, errno := range localErrors {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// negotiationFailed makes the error of an Auth's negotiation. The end of the connection, and what the network
// says of it, are the gateway's failure.
func negotiationFailed(method byte, err error) error {
	doing := fmt.Sprintf("authentication method %d", method)
	var op *net.OpError
	switch {
	case errors.Is(err, ErrGateway), errors.Is(err, ErrProtocol), errors.Is(err, ErrAuthFailed), errors.Is(err, ErrNoAcceptableAuth):
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &op) && op.Op != "dial":
		return gatewayFailed(doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
