// Package wire is the SOCKS5 codec: RFC 1928, RFC 1929, and Tor's two commands that resolve.
//
// Append functions write a message to the end of a slice, as in encoding/binary, and refuse what the
// format cannot carry instead of cutting it. A [Reader] reads messages from a stream and takes from it
// exactly what they are long, so the first byte of the application's data stays where it is.
// [ParseDatagram] looks into a datagram without copying it. Nothing here opens a connection or knows time.
package wire

import (
	"errors"
	"fmt"
)

// Version is the VER byte of every message except the ones of RFC 1929.
const Version = 5

// Authentication methods, RFC 1928, section 3.
const (
	MethodNone         = 0x00
	MethodGSSAPI       = 0x01
	MethodUserPass     = 0x02
	MethodNoAcceptable = 0xff
)

// The version of RFC 1929's sub-negotiation, and the one status that means success.
const (
	UserPassVersion = 1
	StatusSuccess   = 0
)

// Command is the CMD byte of a request.
type Command byte

// RFC 1928, section 4, and Tor's socks-extensions.txt.
const (
	Connect    Command = 0x01
	Bind       Command = 0x02
	Associate  Command = 0x03
	Resolve    Command = 0xf0
	ResolvePTR Command = 0xf1
)

func (c Command) String() string {
	switch c {
	case Connect:
		return "CONNECT"
	case Bind:
		return "BIND"
	case Associate:
		return "UDP ASSOCIATE"
	case Resolve:
		return "RESOLVE"
	case ResolvePTR:
		return "RESOLVE_PTR"
	}
	return fmt.Sprintf("command %#02x", byte(c))
}

// Succeeded is the REP byte of a reply that grants the request. The others are the errors of package socks.
const Succeeded = 0

var (
	// ErrFormat is matched by every error about what a peer sent.
	ErrFormat = errors.New("malformed SOCKS message")
	// ErrAddressType is matched too when it is the ATYP that is unknown, so a gateway can answer REP 8.
	ErrAddressType = errors.New("unknown address type")
)

func versionError(message string, got []byte, want byte) error {
	if got[0] == 'H' && (len(got) < 2 || got[1] == 'T') {
		return fmt.Errorf("%w: %s begins with %q: this looks like HTTP", ErrFormat, message, got)
	}
	return fmt.Errorf("%w: %s has version %d, not %d", ErrFormat, message, got[0], want)
}
