package socks_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// Writes that time out repeatedly and are continued lose no byte and send no byte twice.
func TestTLSWritesGoOnAfterTimeouts(t *testing.T) {
	near, far := connect(t, clientOverTLS(t, new(testgw.Gateway)), listen(t))
	done, timeouts := make(chan error, 1), make(chan struct{}, 1)
	go func() { // ends when all is written, or at an error
		var err error
		for sent := 0; sent < len(bulk) && err == nil; {
			near.SetWriteDeadline(time.Now().Add(time.Millisecond))
			var n int
			n, err = near.Write(bulk[sent:])
			sent += n
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
				select {
				case timeouts <- struct{}{}:
				default:
				}
			}
		}
		near.SetWriteDeadline(time.Time{})
		done <- errors.Join(err, near.CloseWrite())
	}()
	<-timeouts // the peer does not read yet, so a write times out
	sum := sha256.New()
	n, err := io.Copy(sum, far)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.EqualValues(t, len(bulk), n)
	require.Equal(t, sha256.Sum256(bulk), [sha256.Size]byte(sum.Sum(nil)))
}

// Close does not wait for bytes that cannot be sent, and the peer does not take it for the end of the stream.
func TestTLSCloseAfterATimeoutDoesNotWait(t *testing.T) {
	near, far := connect(t, clientOverTLS(t, new(testgw.Gateway)), listen(t))
	fill(t, near)
	begun := time.Now()
	require.NoError(t, near.Close())
	require.Less(t, time.Since(begun), atOnce)
	_, err := io.Copy(io.Discard, far)
	require.Error(t, err)
	require.NotErrorIs(t, err, net.ErrClosed)
}

// fill writes until no more bytes can be sent, and the rest of a record is kept.
func fill(t testing.TB, near net.Conn) {
	t.Helper()
	// Several writes in a row must send nothing, because one deadline may pass between two records.
	for refused := 0; refused < 4; {
		near.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		n, err := near.Write(bulk)
		if refused++; n > 0 {
			refused = 0
		}
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}
	}
	near.SetWriteDeadline(time.Time{})
}

// Close in the middle of a record resets the transport, so that the peer does not read io.EOF.
func TestTLSCloseWithinARecordResets(t *testing.T) {
	server, client := certified()
	l := listen(t)
	open := make(chan struct{})
	ended := make(chan error, 1)
	go func() { // ends with the connection, at the latest with the test's receive from ended
		raw, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer raw.Close()
		conn := tls.Server(raw, server)
		b := make([]byte, 3)
		io.ReadFull(conn, b) // greeting
		conn.Write([]byte("\x05\x00"))
		b = make([]byte, 4+1+len("name.example")+2)
		io.ReadFull(conn, b) // request
		conn.Write([]byte("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x09"))
		<-open
		_, err = io.Copy(io.Discard, raw)
		ended <- err
	}()
	c := &socks.Client{Addr: l.Addr().String(), TLS: client, Handshake: socks.HandshakeStepwise}
	near, err := c.Dial("tcp", "name.example:80")
	require.NoError(t, err)
	fill(t, near)
	require.NoError(t, near.Close())
	close(open)
	require.ErrorIs(t, <-ended, syscall.ECONNRESET)
}

// gatedConn lets left bytes be read, and the others after open is closed.
type gatedConn struct {
	net.Conn
	left int // negative: no limit
	open chan struct{}
}

func (c *gatedConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		<-c.open
		c.left = -1
	}
	if c.left > 0 {
		b = b[:min(len(b), c.left)]
	}
	n, err := c.Conn.Read(b)
	if c.left > 0 {
		c.left -= n
	}
	return n, err
}

// A stream can be continued after a timeout at any byte of a record.
func TestTLSStreamGoesOnAfterATimeoutWithinARecord(t *testing.T) {
	server, client := certified()
	sent := bulk[:3000] // at first, records are as long as a segment
	for _, taken := range []int{1, 4, 5, 6, 100, 1000, 2000} {
		synctest.Test(t, func(t *testing.T) {
			open, arrived := make(chan struct{}), make(chan []byte, 1)
			c := &socks.Client{Addr: "127.0.0.1:1080", TLS: client, Handshake: socks.HandshakeStepwise}
			c.Forward = dialFunc(func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() { // ends with the stream
					defer far.Close()
					gate := &gatedConn{Conn: far, left: -1, open: open}
					conn := tls.Server(gate, server)
					r := wire.NewReader(conn)
					r.ReadMethods()
					conn.Write([]byte{wire.Version, wire.MethodNone})
					r.ReadRequest()
					conn.Write([]byte("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x09"))
					gate.left = taken
					all, _ := io.ReadAll(conn)
					arrived <- all
				}()
				return near, nil
			})
			conn, err := c.Dial("tcp", "name.example:80")
			require.NoError(t, err)
			defer conn.Close()
			begun := time.Now()
			require.NoError(t, conn.SetWriteDeadline(begun.Add(time.Second)))
			n, err := conn.Write(sent)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, time.Second, time.Since(begun))
			m, err := conn.Write(sent[n:])
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, "still")
			require.Zero(t, m)

			close(open)
			require.NoError(t, conn.SetWriteDeadline(time.Time{}))
			_, err = conn.Write(sent[n:])
			require.NoError(t, err)
			require.NoError(t, conn.(*socks.Conn).CloseWrite())
			require.Equal(t, sent, <-arrived, "%d bytes were taken in time", taken)
		})
	}
}

// The end of TCP between two records is not the end of the stream, whichever side caused it.
func TestTLSCutIsNoEnd(t *testing.T) {
	c := clientOverTLS(t, new(testgw.Gateway))
	var raw *net.TCPConn
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			raw = conn.(*net.TCPConn)
		}
		return conn, err
	})
	near, far := connect(t, c, listen(t))
	_, err := far.Write([]byte("whole record"))
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, err := near.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "whole record", string(buf[:n]))
	require.NoError(t, raw.CloseRead()) // as if the network sent a FIN
	_, err = near.Read(buf)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "without TLS's notice")
}
