package wire

import "io"

// Reader reads the messages of one stream. It never takes more from the stream than the peer owes at
// that point, so a later reader of the stream misses nothing. The zero Reader must be Reset before use.
// It is not safe for concurrent use.
type Reader struct {
	src  io.Reader
	owed int // bytes that the peer still owes at least; one read may take that many
	r, w int // buf[r:w] has been read and not been consumed; never beyond what was owed
	buf  [maxMessage]byte
}

// maxMessage is the length of the longest message, RFC 1929's request.
const maxMessage = 1 + 1 + maxField + 1 + maxField

// Least lengths of messages that a gateway answers with when all goes well.
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

// Reset makes r read from src, and forgets what was owed.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.owed, r.r, r.w = src, 0, 0, 0
}

// Owe says that messages of at least n bytes in all will follow. Several messages in one segment then take
// one read.
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

// next consumes n bytes. They are valid until the next call.
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

// rest is next within a message, where the end of the stream is io.ErrUnexpectedEOF.
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

// field reads a length byte and as many bytes, RFC 1929, section 2.
func (r *Reader) field() (string, error) {
	n, err := r.rest(1)
	if err != nil {
		return "", err
	}
	b, err := r.rest(int(n[0]))
	return string(b), err
}

// pair reads a message of two bytes, the first being its version.
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

// Buffered returns how many bytes have been read ahead. It is 0 if the messages were as long as was owed. A
// connection with bytes read ahead must not be used any further.
func (r *Reader) Buffered() int { return r.w - r.r }
