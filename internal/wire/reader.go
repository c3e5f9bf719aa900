package wire

import "io"

// Reader reads messages from a stream. It never reads beyond the bytes that the peer must still send (see Owe),
// so that all bytes after the messages stay in the stream. The zero Reader must be Reset before use. A Reader is
// not safe for concurrent use.
type Reader struct {
	src  io.Reader
	owed int // minimum number of bytes that the peer still owes
	r, w int // buf[r:w] was read from src and not consumed
	buf  [maxMessage]byte
}

// maxMessage is the length of the longest message, a username and password.
const maxMessage = 1 + 1 + maxField + 1 + maxField

// The minimum lengths, in bytes, of a gateway's answers that accept or grant.
const (
	MethodLen = 2
	StatusLen = 2
	ReplyLen  = 3 + 1 + 1 + 2 // with an empty name: some gateways send one
)

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	r := new(Reader)
	r.Reset(src)
	return r
}

// Reset makes r read from src, as if it were new.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.owed, r.r, r.w = src, 0, 0, 0
}

// Owe tells r that the next messages have at least n bytes together, so that r may read them at once. Without it,
// r reads one message at a time.
func (r *Reader) Owe(n int) { r.owed += n }

// Peek returns the next n bytes without consuming them.
func (r *Reader) Peek(n int) ([]byte, error) {
	have := r.w - r.r
	if have >= n {
		return r.buf[r.r : r.r+n], nil
	}
	copy(r.buf[:], r.buf[r.r:r.w])
	r.r, r.w = 0, have
	m, err := io.ReadAtLeast(r.src, r.buf[have:min(max(n, r.owed), len(r.buf))], n-have)
	r.w += m
	if err == io.EOF && r.w > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return r.buf[:n], nil
}

// next consumes and returns n bytes, which are valid until the next call.
func (r *Reader) next(n int) ([]byte, error) {
	p, err := r.Peek(n)
	if err != nil {
		return nil, err
	}
	r.consume(n)
	return p, nil
}

func (r *Reader) consume(n int) {
	r.r += n
	r.owed = max(0, r.owed-n)
}

// rest is like next, within a message: the end of the stream there is io.ErrUnexpectedEOF.
func (r *Reader) rest(n int) ([]byte, error) {
	p, err := r.next(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}

// addr reads ATYP, ADDR and PORT.
func (r *Reader) addr() (Addr, error) {
	head, err := r.Peek(2)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Addr{}, err
	}
	n, err := addrLen(head[0], head[1])
	if err != nil {
		return Addr{}, err
	}
	b, err := r.rest(n)
	if err != nil {
		return Addr{}, err
	}
	return newAddr(b), nil
}

// field reads a length byte and that number of bytes, RFC 1929, section 2.
func (r *Reader) field() (string, error) {
	n, err := r.rest(1)
	if err != nil {
		return "", err
	}
	b, err := r.rest(int(n[0]))
	return string(b), err
}

// pair reads two bytes, of which the first must be the version, and returns the second.
func (r *Reader) pair(message string, version byte) (byte, error) {
	b, err := r.next(2)
	if err != nil {
		return 0, err
	}
	if b[0] != version {
		return 0, versionError(message, b, version)
	}
	return b[1], nil
}

// Buffered returns the number of bytes that were read and not consumed. If it is not 0 after the last message, the
// messages were shorter than was owed. The stream must not be used then, because its next bytes are missing.
func (r *Reader) Buffered() int { return r.w - r.r }
