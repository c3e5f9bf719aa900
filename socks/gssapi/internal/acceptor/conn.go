package acceptor

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

const (
	headerLen  = 4
	maxMessage = headerLen + 1<<16
)

// conn is the acceptor's end of a stream. One goroutine may read and another may write.
type conn struct {
	net.Conn
	a       *Acceptor
	context *krb5.Context
	sealed  bool
	r       *bufio.Reader // buffers a message until it is complete
	plain   []byte
}

func (a *Acceptor) newConn(c net.Conn, context *krb5.Context, sealed bool) *conn {
	return &conn{Conn: c, a: a, context: context, sealed: sealed, r: bufio.NewReaderSize(c, maxMessage)}
}

func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *conn) Read(b []byte) (int, error) {
	for len(c.plain) == 0 {
		head, err := c.r.Peek(headerLen)
		if err != nil {
			return 0, c.cut(err)
		}
		msg, err := c.r.Peek(headerLen + int(binary.BigEndian.Uint16(head[2:])))
		if err != nil {
			return 0, c.cut(err)
		}
		if c.plain, err = c.context.UnwrapNext(slices.Clone(msg[headerLen:]), c.sealed); err != nil || msg[1] != Data {
			return 0, fmt.Errorf("message of type %d: %w", msg[1], err)
		}
		_, _ = c.r.Discard(len(msg)) // cannot fail: the bytes are buffered
	}
	n := copy(b, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

func (c *conn) cut(err error) error {
	if err == io.EOF && c.r.Buffered() > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *conn) Write(b []byte) (int, error) {
	chunk := c.a.Chunk
	if chunk == 0 {
		chunk = 32 << 10
	}
	var written int
	for piece := range slices.Chunk(b, chunk) {
		if err := c.a.send(c.Conn, Data, c.token(piece)); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}

func (c *conn) token(plain []byte) []byte {
	token := c.context.Wrap(nil, plain, c.sealed)
	Rotate(token, c.a.Rotate)
	return token
}

// Rotate rotates a token's body to the right (RFC 4121, section 4.2.5), as Active Directory and Heimdal do, and
// sets RRC.
func Rotate(token []byte, by int) {
	binary.BigEndian.PutUint16(token[6:], uint16(by))
	body := token[16:]
	at := by % len(body)
	copy(body, append(slices.Clone(body[len(body)-at:]), body[:len(body)-at]...))
}

// ProtectRelay returns a socket that protects datagrams with the context of the stream.
func (c *conn) ProtectRelay(relay net.Conn) net.Conn { return &packets{Conn: relay, c: c} }

type packets struct {
	net.Conn
	c  *conn
	mu sync.Mutex // serializes the answers from several sockets
}

func (p *packets) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if err != nil || n < headerLen || b[1] != Data || int(binary.BigEndian.Uint16(b[2:])) != n-headerLen {
		return 0, err
	}
	plain, _, err := p.c.context.Unwrap(b[headerLen:n], p.c.sealed)
	if err != nil {
		return 0, nil // empty, which is malformed
	}
	return copy(b, plain), nil
}

func (p *packets) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.Conn.Write(p.c.a.message(Data, p.c.token(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}
