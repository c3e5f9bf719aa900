package gssapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

func TestConnBehavesAsAConn(t *testing.T) {
	for _, p := range []Protection{Confidentiality, Integrity} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			c, _ := world(t, p, new(acceptor.Acceptor))
			nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return nil, nil, nil, err
				}
				defer l.Close()
				if near, err = c.Dial("tcp", l.Addr().String()); err != nil {
					return nil, nil, nil, err
				}
				far, err = l.Accept()
				return near, far, func() { near.Close(); far.Close() }, err
			})
			nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
				l, err := c.Listen(context.Background(), "tcp", "")
				if err != nil {
					return nil, nil, nil, err
				}
				defer l.Close()
				if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
					return nil, nil, nil, err
				}
				near, err = l.Accept()
				return near, far, func() { near.Close(); far.Close() }, err
			})
		})
	}
}

// contexts returns the two sides of a security context, without a handshake.
func contexts(t testing.TB, etype int32) (client, gateway *krb5.Context) {
	e := krb5.Established{Key: acceptor.Key(etype), InitiatorSeq: 1, AcceptorSeq: 1 << 20}
	client, err := krb5.NewContext(e, false)
	require.NoError(t, err)
	gateway, err = krb5.NewContext(e, true)
	require.NoError(t, err)
	return client, gateway
}

// pair returns the client's end of a stream, the gateway's end of the underlying connection, and the gateway's
// context.
func pair(t *testing.T, p Protection) (near *conn, far *net.TCPConn, gateway *krb5.Context) {
	l := listen(t)
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	end, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { end.Close() })
	require.NoError(t, end.SetDeadline(time.Now().Add(time.Minute)))
	client, gateway := contexts(t, aes256)
	return newConn(c, client, p == Confidentiality), end.(*net.TCPConn), gateway
}

func message(t *testing.T, c *krb5.Context, plain string, sealed bool) []byte {
	msg, err := sealMessage(c, nil, []byte(plain), sealed)
	require.NoError(t, err)
	return msg
}

// Timeouts between the bytes of a message lose no data.
func TestTimeoutWithinAMessage(t *testing.T) {
	near, far, gateway := pair(t, Confidentiality)
	msg := message(t, gateway, "whole", true)
	b := make([]byte, 100)
	for i := range msg {
		require.NoError(t, near.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := near.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.True(t, err.(net.Error).Timeout())
		_, err = far.Write(msg[i : i+1])
		require.NoError(t, err)
	}
	require.NoError(t, near.SetReadDeadline(time.Time{}))
	for _, part := range []string{"who", "le"} {
		n, err := near.Read(b[:3])
		require.NoError(t, err)
		require.Equal(t, part, string(b[:n]))
	}
}

// Messages of every size are read, in segments of any size, with empty messages between them.
func TestMessagesInPieces(t *testing.T) {
	for _, p := range []Protection{Confidentiality, Integrity} {
		near, far, gateway := pair(t, p)
		random := rand.New(rand.NewPCG(1, 2))
		var sent, raw bytes.Buffer
		for range 300 {
			plain := make([]byte, random.IntN(2)*random.IntN(1<<random.IntN(16)))
			for i := range plain {
				plain[i] = byte(random.Uint32())
			}
			sent.Write(plain)
			raw.Write(message(t, gateway, string(plain), p == Confidentiality))
		}
		most := make([]byte, maxToken-gateway.Overhead())
		sent.Write(most)
		raw.Write(message(t, gateway, string(most), p == Confidentiality))
		go func() { // ends when everything is written, or with the connection
			for raw.Len() > 0 {
				far.Write(raw.Next(1 + random.IntN(1<<random.IntN(18))))
			}
			far.CloseWrite()
		}()
		got, err := io.ReadAll(near)
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256(sent.Bytes()), sha256.Sum256(got))
	}
}

// EOF is the end of the stream only between two messages.
func TestEndWithinAMessageIsUnexpected(t *testing.T) {
	near, far, gateway := pair(t, Integrity)
	msg := message(t, gateway, "last", false)
	far.Write(msg)
	far.CloseWrite()
	b, err := io.ReadAll(near)
	require.NoError(t, err)
	require.Equal(t, "last", string(b))

	for n := 1; n < len(msg); n += 7 {
		near, far, _ := pair(t, Integrity)
		far.Write(msg[:n])
		far.CloseWrite()
		for range 2 {
			_, err := near.Read(make([]byte, 10))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.NotEqual(t, io.EOF, err)
		}
	}
	near, far, gateway = pair(t, Integrity)
	far.Write(message(t, gateway, "before", false))
	far.SetLinger(0)
	b = make([]byte, 100)
	n, err := near.Read(b)
	require.NoError(t, err)
	require.Equal(t, "before", string(b[:n]))
	far.Close()
	for range 2 {
		_, err = near.Read(b)
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
}

// A changed message ends the stream; the data before it is delivered.
func TestTamperedMessageEndsTheStream(t *testing.T) {
	for _, p := range []Protection{Confidentiality, Integrity} {
		sealed := p == Confidentiality
		for what, tamper := range map[string]func(g *krb5.Context) []byte{
			"flipped":       func(g *krb5.Context) []byte { m := message(t, g, "x", sealed); m[len(m)-1] ^= 1; return m },
			"left out":      func(g *krb5.Context) []byte { message(t, g, "x", sealed); return message(t, g, "y", sealed) },
			"repeated":      func(g *krb5.Context) []byte { g.Unwind(); return message(t, g, "x", sealed) },
			"other level":   func(g *krb5.Context) []byte { return message(t, g, "x", !sealed) },
			"other type":    func(g *krb5.Context) []byte { m := message(t, g, "x", sealed); m[1] = msgProtection; return m },
			"other version": func(g *krb5.Context) []byte { return []byte("\x05\x00\x00\x01") },
			"abort":         func(g *krb5.Context) []byte { return []byte("\x01\xff") },
			"no token":      func(g *krb5.Context) []byte { return []byte("\x01\x03\x00\x00") },
		} {
			near, far, gateway := pair(t, p)
			far.Write(message(t, gateway, "good", sealed))
			far.Write(tamper(gateway))
			b := make([]byte, 100)
			n, err := near.Read(b)
			require.NoError(t, err)
			require.Equal(t, "good", string(b[:n]))
			for range 2 {
				_, err = near.Read(b)
				require.ErrorIs(t, err, socks.ErrProtocol, what)
				require.IsType(t, (*net.OpError)(nil), err)
				far.Write(message(t, gateway, "later", sealed))
			}
		}
	}
}

// After one side has closed its direction, the other direction still works.
func TestHalfCloseLeavesTheOtherDirectionOpen(t *testing.T) {
	for _, p := range protectionsAll {
		c, _ := world(t, p, new(acceptor.Acceptor))
		near, far := connect(t, c)
		halfCloses(t, near, far)
		near, far = connect(t, c)
		halfCloses(t, far, near)
	}
}

// The methods of the connection do not bypass the protection.
func TestNoMethodBypassesTheProtection(t *testing.T) {
	c, _ := world(t, Integrity, new(acceptor.Acceptor))
	near, _ := connect(t, c)
	inner := near.NetConn()
	require.IsType(t, (*conn)(nil), inner)
	for _, has := range []bool{is[syscall.Conn](inner), is[io.ReaderFrom](inner), is[io.WriterTo](inner)} {
		require.False(t, has)
	}
	_, err := near.SyscallConn()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.IsType(t, (*net.TCPConn)(nil), inner.(*conn).NetConn())
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// tapped records the bytes that are written to a connection.
type tapped struct {
	net.Conn
	seen *bytes.Buffer
}

func (c tapped) Write(b []byte) (int, error) {
	c.seen.Write(b)
	return c.Conn.Write(b)
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// With Confidentiality, neither the data nor the requested name can be read on the path.
func TestNothingIsSeen(t *testing.T) {
	for _, p := range protectionsAll {
		c, g := world(t, p, new(acceptor.Acceptor))
		g.Hosts["secret.example"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		var seen bytes.Buffer
		c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return tapped{conn, &seen}, err
		})
		_, port, err := net.SplitHostPort(listen(t).Addr().String())
		require.NoError(t, err)
		conn, err := c.Dial("tcp", "secret.example:"+port)
		require.NoError(t, err)
		fmt.Fprint(conn, "open secret")
		require.NoError(t, conn.Close())
		for _, text := range []string{"secret.example", "open secret"} {
			require.Equal(t, p != Confidentiality, bytes.Contains(seen.Bytes(), []byte(text)), p)
		}
	}
}
