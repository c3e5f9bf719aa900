package gssapi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// conn is a stream whose data is sent in messages (RFC 1961, section 5). Its deadlines are the underlying
// connection's; a timeout within a message loses no data. It is safe for concurrent use.
type conn struct {
	net.Conn
	context *krb5.Context
	sealed  bool
	closed  atomic.Bool

	reading    sync.Mutex // guards the following
	buf        []byte
	start, end int    // bounds of the received, still wrapped bytes in buf
	plain      []byte // unwrapped but not yet read; a part of buf before start
	readErr    error  // final

	writing  sync.Mutex // guards the following, and a Wrap together with its Write
	out      []byte
	rest     []byte // the unsent part of a message, a part of out; sent before anything else
	writeErr error  // final
}

// maxPlain is the maximum number of bytes that one message carries. Longer messages were not faster.
const maxPlain = 16 << 10

func newConn(c net.Conn, context *krb5.Context, sealed bool) *conn {
	return &conn{Conn: c, context: context, sealed: sealed}
}

// NetConn returns the underlying connection. Reading from it or writing to it breaks the stream.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Read reads the content of the messages. A timeout loses no data; any other error is final.
func (c *conn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.closed.Load() {
		return 0, c.fail("read", net.ErrClosed)
	}
	for len(c.plain) == 0 && len(b) > 0 {
		if c.readErr != nil {
			return 0, c.readErr
		}
		if err := c.receive(); err != nil {
			if !isTimeout(err) {
				c.readErr = err
			}
			return 0, err
		}
	}
	n := copy(b, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

// receive unwraps the next message if it is complete, and reads once otherwise.
func (c *conn) receive() error {
	token, need, err := splitMessage(c.buf[c.start:c.end], msgData)
	switch {
	case err != nil:
		return c.fail("read", err)
	case token == nil:
		return c.fill(need)
	}
	c.start += need
	if c.plain, err = c.context.UnwrapNext(token, c.sealed); err != nil {
		return c.fail("read", fmt.Errorf("%w: %w", socks.ErrProtocol, err))
	}
	return nil
}

// fill reads once. It makes room for a message of need bytes.
func (c *conn) fill(need int) error {
	held := c.buf[c.start:c.end]
	switch {
	case need > len(c.buf) && c.buf == nil && need <= smallBuf:
		c.buf = make([]byte, smallBuf)
	case need > len(c.buf):
		c.buf = make([]byte, headerLen+maxToken)
	}
	c.start, c.end = 0, copy(c.buf, held)
	n, err := c.Conn.Read(c.buf[c.end:])
	c.end += n
	switch {
	case n > 0:
		return nil // the next read returns the error again
	case err == io.EOF && c.end > 0:
		return c.fail("read", io.ErrUnexpectedEOF)
	}
	return err
}

// smallBuf is enough for the messages of most gateways, and for any message with maxPlain bytes.
const smallBuf = maxPlain + 1<<10

// Write writes b in messages. If a timeout interrupts the write of a message, the message counts as written, and
// the next Write first sends its rest.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	var written int
	for {
		if err := c.flush(); err != nil || written == len(b) {
			return written, err
		}
		n := min(len(b)-written, maxPlain)
		sent, err := c.send(b[written : written+n])
		if sent {
			written += n
		}
		if err != nil {
			return written, err
		}
	}
}

// send sends one message, and reports whether plain counts as written. If a timeout leaves a part unsent, it
// becomes rest.
func (c *conn) send(plain []byte) (bool, error) {
	var err error
	if c.out, err = sealMessage(c.context, c.out[:0], plain, c.sealed); err != nil {
		return false, c.fail("write", err)
	}
	n, err := c.Conn.Write(c.out)
	switch {
	case err == nil:
		return true, nil
	case !isTimeout(err):
		c.writeErr = err
		return false, err
	case n == 0:
		c.context.Unwind()
		return false, err
	}
	c.rest = c.out[n:]
	return true, err
}

// flush sends the rest of an earlier message.
func (c *conn) flush() error {
	if c.writeErr != nil {
		return c.writeErr
	}
	if len(c.rest) == 0 {
		return nil
	}
	n, err := c.Conn.Write(c.rest)
	c.rest = c.rest[n:]
	if err != nil && !isTimeout(err) {
		c.writeErr = err
	}
	return err
}

// CloseWrite sends the rest of an earlier message, and then closes the writing side of the underlying connection.
func (c *conn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.flush(); err != nil {
		return err
	}
	return netconn.Conn{Conn: c.Conn}.CloseWrite()
}

// Close closes the underlying connection. It does not send the rest of a message.
func (c *conn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
