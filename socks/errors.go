package socks

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Errors that errors of this package match by errors.Is, besides a [Reply], the cause, and the context's error.
var (
	// ErrGateway: the gateway or its relay cannot be reached, the gateway did not let the request in before
	// the bound, or it hung up before it answered.
	ErrGateway = errors.New("SOCKS gateway failed")
	// ErrNoAcceptableAuth: the gateway accepts none of the methods that were offered.
	ErrNoAcceptableAuth = errors.New("the gateway accepts none of the authentication methods offered")
	// ErrAuthFailed: the gateway refused the username or password.
	ErrAuthFailed = errors.New("the gateway refused the credentials")
	// ErrProtocol: the gateway sent something other than SOCKS 5, or an invalid answer to a message.
	ErrProtocol = errors.New("the gateway broke the protocol")
)

// Op of the *net.OpError that wraps the error of a request.
const (
	opConnect   = "socks connect"
	opBind      = "socks bind"
	opAssociate = "socks associate"
)

// opFor returns the Op of a dial on network.
func opFor(network string) string {
	if proto, err := protocolOf(network); err == nil && proto == "udp" {
		return opAssociate
	}
	return opConnect
}

// opError wraps err in a *net.OpError, as package net does. It returns nil if err is nil.
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

// source returns the gateway's address, for errors and hooks.
func (c *Client) source() net.Addr {
	if c == nil {
		return netconn.UnparsedAddr{Net: "tcp", Text: "<nil>"}
	}
	network := c.network()
	if network == "unix" {
		return &net.UnixAddr{Name: c.Addr, Net: network}
	}
	return netconn.UnparsedAddr{Net: network, Text: c.Addr}
}

// gatewayError matches ErrGateway and its cause.
type gatewayError struct {
	doing string // the step that failed
	err   error
}

// gatewayFailed returns an error that matches ErrGateway. An EOF becomes errHungUp.
func gatewayFailed(doing string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &gatewayError{doing, errHungUp}
	}
	return &gatewayError{doing, err}
}

// errHungUp is io.ErrUnexpectedEOF with its meaning in a handshake.
var errHungUp = fmt.Errorf("the gateway hung up: %w", io.ErrUnexpectedEOF)

func (e *gatewayError) Error() string        { return e.doing + ": " + e.err.Error() }
func (e *gatewayError) Is(target error) bool { return target == ErrGateway }
func (e *gatewayError) Unwrap() error        { return e.err }
func (e *gatewayError) Temporary() bool      { return e.Timeout() }
func (e *gatewayError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// readFailed returns the error for a failed read of the gateway's answer: it matches ErrProtocol if the answer is
// malformed, and ErrGateway otherwise.
func readFailed(doing string, err error) error {
	switch {
	case errors.Is(err, wire.ErrFormat):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	case errors.Is(err, ErrGateway):
		return err // it already says which step failed
	}
	return gatewayFailed(doing, err)
}

// replyFailed returns the error for a REP that is not success. Most gateways send the same REP for an unknown name
// and for an unreachable host (RFC 3089, section 3), so the error for a name says that it may be either.
func replyFailed(rep byte, dst *Addr) error {
	r := Reply(rep)
	if !dst.IP.IsValid() && dst.Name != "" && (r == ErrHostUnreachable || r == ErrGeneralFailure) {
		return fmt.Errorf("%w, or the gateway does not know the name", r)
	}
	return r
}

// isLocal reports whether err is due to this machine and not to the gateway.
func isLocal(err error) bool {
	for _, errno := range localErrors {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// negotiationFailed returns the error for a failed Negotiate of another package's Auth. It matches ErrGateway if the
// connection to the gateway ended or had a network error.
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
