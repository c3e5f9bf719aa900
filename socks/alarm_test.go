package socks_test

import (
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// unaccepted returns the address of a listener whose connections are established, but never accepted and read.
func unaccepted(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// Concurrent dials of a Client share an alarm. It ends each dial at its own bound.
func TestConcurrentDialsTimeOut(t *testing.T) {
	_, roots := certified()
	for _, handshake := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
		for _, c := range []*socks.Client{
			{Addr: unaccepted(t), Handshake: handshake, Timeout: 400 * time.Millisecond},
			{Addr: unaccepted(t), Handshake: handshake, Timeout: 400 * time.Millisecond, TLS: roots},
		} {
			const dials = 20
			results := make(chan error, dials)
			var running sync.WaitGroup
			for range dials {
				running.Go(func() {
					begun := time.Now()
					conn, err := c.Dial("tcp", "name.example:80")
					if err == nil {
						conn.Close()
					}
					if time.Since(begun) < c.Timeout {
						t.Errorf("a dial ended before its bound")
					}
					results <- err
				})
			}
			running.Wait()
			for range dials {
				requireClasses(t, <-results, os.ErrDeadlineExceeded, socks.ErrGateway)
			}
		}
	}
}

// The bounds of a dial have no effect on its connection: it is usable after the Client's alarm has rung for others.
func TestConnectionOutlivesItsBounds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for _, timeout := range []time.Duration{0, 300 * time.Millisecond} { // with 0, the alarm is set to the silence of Auto
		c := clientOf(t, new(testgw.Gateway))
		c.Timeout = timeout
		near, err := c.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		far, err := l.Accept()
		require.NoError(t, err)

		var b [5]byte
		require.NoError(t, near.SetReadDeadline(time.Now().Add(600*time.Millisecond)))
		_, err = near.Read(b[:])
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "by its own deadline")
		require.NoError(t, near.SetReadDeadline(time.Time{}))
		for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
			_, err = io.WriteString(from, "hello")
			require.NoError(t, err)
			_, err = io.ReadFull(to, b[:])
			require.NoError(t, err)
		}
		require.NoError(t, near.Close())
		require.NoError(t, far.Close())
	}
}
