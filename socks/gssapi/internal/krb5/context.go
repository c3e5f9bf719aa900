package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/types"
)

// Context is an established security context. Its methods are safe for concurrent use.
type Context struct {
	out, in direction
}

// direction makes or checks the tokens that one side sends.
type direction struct {
	mu    sync.Mutex
	crypt *cryptor
	flags byte   // the flags of every token
	seq   uint64 // the number of the next token
}

// Flags of a token, RFC 4121, section 4.2.2.
const (
	flagAcceptor       = 0x01 // the acceptor sent the token
	flagSealed         = 0x02
	flagAcceptorSubkey = 0x04 // the key is the acceptor's
)

// Established is the result of the exchange of tokens.
type Established struct {
	Key            types.EncryptionKey
	AcceptorSubkey bool // Key came from the acceptor
	InitiatorSeq   uint64
	AcceptorSeq    uint64
}

// NewContext returns one side of a context: the acceptor's, or the initiator's. It fails if the key cannot be
// used.
func NewContext(e Established, acceptor bool) (*Context, error) {
	initiators, err := newCryptor(e.Key, keyusage.GSSAPI_INITIATOR_SEAL)
	if err != nil {
		return nil, err
	}
	acceptors, err := newCryptor(e.Key, keyusage.GSSAPI_ACCEPTOR_SEAL)
	if err != nil {
		return nil, err
	}
	var flags byte
	if e.AcceptorSubkey {
		flags = flagAcceptorSubkey
	}
	c := new(Context)
	from, to := &c.out, &c.in
	if acceptor {
		from, to = to, from
	}
	from.crypt, from.flags, from.seq = initiators, flags, e.InitiatorSeq
	to.crypt, to.flags, to.seq = acceptors, flags|flagAcceptor, e.AcceptorSeq
	return c, nil
}

// headerLen is the length of a token's header, RFC 4121, section 4.2.6.2.
const headerLen = 16

// Overhead returns the maximum number of bytes that Wrap adds.
func (c *Context) Overhead() int { return headerLen + confounder + headerLen + c.out.crypt.macLen }

// header returns a token's header: TOK_ID, flags, filler, EC, an RRC of 0, and SND_SEQ.
func header(flags byte, ec uint16, seq uint64) [headerLen]byte {
	h := [headerLen]byte{0x05, 0x04, flags, 0xFF}
	binary.BigEndian.PutUint16(h[4:], ec)
	binary.BigEndian.PutUint64(h[8:], seq)
	return h
}

// Wrap appends the token that protects plain to dst. They must not overlap. The token is encrypted if sealed, and
// otherwise signed. Each token's sequence number is the previous one plus 1.
func (c *Context) Wrap(dst, plain []byte, sealed bool) []byte {
	d := &c.out
	d.mu.Lock()
	defer d.mu.Unlock()
	seq := d.seq
	d.seq++
	if sealed {
		h := header(d.flags|flagSealed, 0, seq)
		return d.crypt.seal(append(dst, h[:]...), plain, h[:])
	}
	signed := header(d.flags, 0, seq)
	h := header(d.flags, uint16(d.crypt.macLen), seq)
	dst = append(append(dst, h[:]...), plain...)
	return d.crypt.sign(dst, plain, signed[:])
}

// Unwind undoes the last Wrap, so that the next token gets the same sequence number. No part of the undone token
// may have been sent.
func (c *Context) Unwind() {
	c.out.mu.Lock()
	c.out.seq--
	c.out.mu.Unlock()
}

// UnwrapNext is like Unwrap, but accepts only the token with the next sequence number. Any other, such as a
// repeated one, is an error.
func (c *Context) UnwrapNext(token []byte, sealed bool) ([]byte, error) {
	d := &c.in
	d.mu.Lock()
	defer d.mu.Unlock()
	plain, seq, err := d.unwrap(token, sealed)
	if err == nil && seq != d.seq {
		err = fmt.Errorf("sequence number %d instead of %d", seq, d.seq)
	}
	if err != nil {
		return nil, err
	}
	d.seq++
	return plain, nil
}

// Unwrap returns the content of a token from the other side, and its sequence number. It overwrites token, and
// plain is a part of it. A token that is sealed although sealed is false, or the reverse, is an error.
func (c *Context) Unwrap(token []byte, sealed bool) (plain []byte, seq uint64, err error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.unwrap(token, sealed)
}

// Next returns the sequence number that UnwrapNext expects.
func (c *Context) Next() uint64 {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.seq
}

func (d *direction) unwrap(token []byte, sealed bool) ([]byte, uint64, error) {
	if len(token) < headerLen {
		return nil, 0, errors.New("the token is too short")
	}
	ec, rrc := binary.BigEndian.Uint16(token[4:]), binary.BigEndian.Uint16(token[6:])
	seq := binary.BigEndian.Uint64(token[8:])
	flags := d.flags
	if sealed {
		flags |= flagSealed
	}
	want := header(flags, ec, seq)
	if !slices.Equal(token[:6], want[:6]) {
		return nil, 0, fmt.Errorf("the token begins with % x, not with % x", token[:4], want[:4])
	}
	body := token[headerLen:]
	rotateLeft(body, int(rrc))
	if sealed {
		plain, err := d.open(body, want[:], int(ec))
		return plain, seq, err
	}
	signed := header(flags, 0, seq)
	n := len(body) - d.crypt.macLen
	if int(ec) != d.crypt.macLen || n < 0 || !d.crypt.verify(body[n:], body[:n], signed[:]) {
		return nil, 0, errIntegrity
	}
	return body[:n], seq, nil
}

// open decrypts a token's body, and returns the plaintext. The body is the plaintext, filler bytes, and the header
// with an RRC of 0.
func (d *direction) open(body, header []byte, filler int) ([]byte, error) {
	plain, err := d.crypt.open(body)
	if err != nil {
		return nil, err
	}
	n := len(plain) - headerLen
	if n < filler || !slices.Equal(plain[n:], header) {
		return nil, errors.New("the header is not the one that was encrypted")
	}
	return plain[:n-filler], nil
}

// rotateLeft undoes the rotation of a token's body by RRC (RFC 4121, section 4.2.5).
func rotateLeft(b []byte, by int) {
	if by == 0 || len(b) == 0 {
		return
	}
	by %= len(b)
	slices.Reverse(b[:by])
	slices.Reverse(b[by:])
	slices.Reverse(b)
}
