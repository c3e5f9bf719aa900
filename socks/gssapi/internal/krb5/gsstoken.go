package krb5

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// TOK_ID of the tokens that establish a context, RFC 4121, section 4.1.
const (
	TokenAPReq    = 0x0100
	TokenAPRep    = 0x0200
	TokenKRBError = 0x0300
)

// mechanism is the object identifier of Kerberos 5, 1.2.840.113554.1.2.2, in DER.
var mechanism = []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02}

const application0 = 0x60 // the tag of RFC 2743, section 3.1

// AppendToken appends a Kerberos message, framed as a token by RFC 2743, section 3.1, and RFC 4121, section 4.1,
// to dst.
func AppendToken(dst []byte, id uint16, message []byte) []byte {
	dst = appendLength(append(dst, application0), len(mechanism)+2+len(message))
	dst = binary.BigEndian.AppendUint16(append(dst, mechanism...), id)
	return append(dst, message...)
}

// ParseToken returns the TOK_ID and the message of a token that AppendToken could have made. Any other is an
// error.
func ParseToken(token []byte) (id uint16, message []byte, err error) {
	body, err := contents(token, application0)
	if err != nil {
		return 0, nil, err
	}
	rest, ok := bytes.CutPrefix(body, mechanism)
	if !ok || len(rest) < 2 {
		return 0, nil, errors.New("the token is not Kerberos 5's")
	}
	return binary.BigEndian.Uint16(rest), rest[2:], nil
}

func appendLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 0x100:
		return append(dst, 0x81, byte(n))
	case n < 0x10000:
		return binary.BigEndian.AppendUint16(append(dst, 0x82), uint16(n))
	}
	return append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
}

// contents returns the contents of a DER value that has the tag and fills b. It is stricter than the ASN.1
// library, which allows trailing data.
func contents(b []byte, tag byte) ([]byte, error) {
	const maxLengthBytes = 3
	if len(b) < 2 || b[0] != tag {
		return nil, errors.New("malformed: another tag is due")
	}
	n, b := int(b[1]), b[2:]
	if n >= 0x80 {
		k := n & 0x7F
		if k == 0 || k > maxLengthBytes || k > len(b) {
			return nil, errors.New("malformed length")
		}
		n = 0
		for _, c := range b[:k] {
			n = n<<8 | int(c)
		}
		b = b[k:]
	}
	if n != len(b) {
		return nil, errors.New("malformed: the length does not match the token")
	}
	return b, nil
}
