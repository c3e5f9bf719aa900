package gssapi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// A message consists of VER, MTYP, LEN and a token (RFC 1961, sections 3 to 5).
const (
	version   = 1
	headerLen = 4
	maxToken  = 1<<16 - 1
)

// The values of MTYP. An abort ends after MTYP.
const (
	msgToken      = 1
	msgProtection = 2
	msgData       = 3
	msgAbort      = 0xFF
)

// errAborted is the error for a gateway's abort (RFC 1961, section 3.8).
var errAborted = fmt.Errorf("%w: it aborted the negotiation", socks.ErrAuthFailed)

// appendMessage appends a message with token to dst. It fails if the token is too long.
func appendMessage(dst []byte, mtyp byte, token []byte) ([]byte, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("a token of %d bytes does not fit into a message", len(token))
	}
	dst = append(dst, version, mtyp)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(token)))
	return append(dst, token...), nil
}

// sealMessage appends the message that carries plain to dst. They must not overlap. The error is syscall.EMSGSIZE
// if plain is too long.
func sealMessage(c *krb5.Context, dst, plain []byte, sealed bool) ([]byte, error) {
	start := len(dst)
	dst = c.Wrap(append(dst, version, msgData, 0, 0), plain, sealed)
	n := len(dst) - start - headerLen
	if n > maxToken {
		return nil, syscall.EMSGSIZE
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16(n))
	return dst, nil
}

// splitMessage returns the token of the message of type mtyp at the beginning of b, and the message's length. If
// the message is incomplete, token is nil, and need is the length that b must have before the next call.
func splitMessage(b []byte, mtyp byte) (token []byte, need int, err error) {
	switch {
	case len(b) >= 1 && b[0] != version:
		return nil, 0, fmt.Errorf("%w: message of version %d", socks.ErrProtocol, b[0])
	case len(b) >= 2 && b[1] == msgAbort && mtyp != msgData:
		return nil, 0, errAborted
	case len(b) >= 2 && b[1] != mtyp:
		return nil, 0, fmt.Errorf("%w: message of type %d, where %d is due", socks.ErrProtocol, b[1], mtyp)
	case len(b) < 2:
		return nil, 2, nil
	case len(b) < headerLen:
		return nil, headerLen, nil
	}
	if need = headerLen + int(binary.BigEndian.Uint16(b[2:])); len(b) < need {
		return nil, need, nil
	}
	return b[headerLen:need], need, nil
}

// readMessage reads a message of type mtyp and returns its token. It does not read beyond the message.
func readMessage(r io.Reader, mtyp byte) ([]byte, error) {
	var b []byte
	for {
		token, need, err := splitMessage(b, mtyp)
		if err != nil || token != nil {
			return token, err
		}
		n := len(b)
		b = append(b, make([]byte, need-n)...)
		if _, err := io.ReadFull(r, b[n:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}
