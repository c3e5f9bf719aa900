// Package wire is the SOCKS5 codec: RFC 1928, RFC 1929, and Tor's RESOLVE and RESOLVE_PTR.
//
// The Append functions append a message to a slice, as in encoding/binary. They return an error for a value that
// the format cannot carry; they never cut it off. A [Reader] reads messages from a stream, and reads exactly the
// bytes of each message, so that the application's data stays unread. [ParseDatagram] parses a datagram without
// copying it. The package opens no connection and uses no clock.
package wire

import (
	"errors"
	"fmt"
)

// Version is the VER byte of all messages but the two of RFC 1929.
const Version = 5

// Authentication methods, RFC 1928, section 3.
const (
	MethodNone         = 0x00 // no authentication
	MethodGSSAPI       = 0x01 // RFC 1961
	MethodUserPass     = 0x02 // RFC 1929
	MethodNoAcceptable = 0xff // the gateway accepts none of the methods
)

// VER of the sub-negotiation of RFC 1929, and its only STATUS that means success.
const (
	UserPassVersion = 1
	StatusSuccess   = 0
)

// Command is the CMD byte of a request.
type Command byte

// The commands of RFC 1928, section 4, and of Tor's socks-extensions.txt.
const (
	Connect    Command = 0x01
	Bind       Command = 0x02
	Associate  Command = 0x03
	Resolve    Command = 0xf0
	ResolvePTR Command = 0xf1
)

// String returns the RFC's or Tor's name of the command, such as "UDP ASSOCIATE", or its number.
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

// Succeeded is the REP byte of a reply that grants the request. Package socks has the other values, as errors.
const Succeeded = 0

// maxField is the longest field, in bytes, that one length byte can describe: a list of methods, a username, a
// password or a name.
const maxField = 255

var (
	// ErrFormat matches all errors about a message that the peer sent.
	ErrFormat = errors.New("malformed SOCKS message")
	// ErrAddressType also matches if the message has an unknown ATYP, to which a gateway replies with REP 8.
	ErrAddressType = errors.New("unknown address type")
)

func versionError(message string, got []byte, want byte) error {
	if got[0] == 'H' && (len(got) < 2 || got[1] == 'T') {
		return fmt.Errorf("%w: %s begins with %q: this looks like HTTP", ErrFormat, message, got)
	}
	return fmt.Errorf("%w: %s has version %d, not %d", ErrFormat, message, got[0], want)
}
