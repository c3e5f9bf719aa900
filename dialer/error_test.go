package dialer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Every error is package net's and wraps the gateway's.
func TestErrorsAreNets(t *testing.T) {
	refusing := testgw.Start(t, &testgw.Gateway{Misbehave: func(int) testgw.Fault {
		return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
			if at == testgw.StageReply {
				return []byte("\x05\x06\x00\x01\x00\x00\x00\x00\x00\x00")
			}
			return b
		}}
	}})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for what, tt := range map[string]struct {
		ctx     context.Context
		gateway dialer.Gateway
		is      []error
		timeout bool
	}{
		"dead":      {t.Context(), &socks.Client{Addr: "127.0.0.1:1"}, []error{socks.ErrGateway, syscall.ECONNREFUSED}, false},
		"cancelled": {cancelled, clientOf(t, refusing), []error{context.Canceled}, false},
		"expired":   {expired, clientOf(t, refusing), []error{context.DeadlineExceeded}, true},
		"timed out": {t.Context(), clientOf(t, refusing), []error{socks.ErrTTLExpired, syscall.ETIMEDOUT}, true},
		"a dialer":  {t.Context(), &dialer.Dialer{Gateway: clientOf(t, refusing), Table: newTable(t, mapping.Config{})}, []error{socks.ErrTTLExpired}, true},
	} {
		t.Run(what, func(t *testing.T) {
			d := &dialer.Dialer{Gateway: tt.gateway, Table: newTable(t, mapping.Config{})}
			for _, o := range opening {
				_, err := o.open(tt.ctx, d, o.network, o.address)
				inner := requireOp(t, err, o.op, o.network, o.address)
				require.IsType(t, (*net.OpError)(nil), inner)
				for _, want := range tt.is {
					require.ErrorIs(t, err, want)
				}
				require.Equal(t, tt.timeout, err.(net.Error).Timeout(), "%v", err)
				require.NotContains(t, err.Error(), "nil")
			}
			require.Zero(t, leases(d))
		})
	}
}

// Every call fails with ErrStale for a stale address.
func TestStaleErrorIsNets(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	for _, o := range opening[:3] {
		_, err := o.open(t.Context(), d, o.network, "240.0.0.0:80")
		requireOp(t, err, o.op, o.network, "240.0.0.0:80")
		require.ErrorIs(t, err, mapping.ErrStale)
		require.False(t, err.(net.Error).Timeout())
	}
}

// The errors of a connection have the addresses that the application knows, and EOF stays EOF.
func TestConnErrorsHaveTheApplicationsAddresses(t *testing.T) {
	l, port := listen(t, loopback4)
	d := behind(t, new(testgw.Gateway))
	fake := assign(t, d, "ip4", name)
	c, err := d.Dial("tcp4", at(fake, port))
	require.NoError(t, err)
	defer c.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()

	require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
	_, err = c.Read(make([]byte, 1))
	require.NotErrorIs(t, requireOp(t, err, "read", "tcp4", at(fake, port)), io.EOF)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.True(t, err.(net.Error).Timeout())
	require.Equal(t, c.LocalAddr(), err.(*net.OpError).Source)
	require.NotContains(t, err.Error(), d.Gateway.(*socks.Client).Addr, "the gateway is not an address of the error")

	require.NoError(t, c.SetDeadline(time.Time{}))
	require.NoError(t, far.(*net.TCPConn).SetLinger(0))
	require.NoError(t, far.Close())
	_, err = c.Read(make([]byte, 1))
	requireOp(t, err, "read", "tcp4", at(fake, port))
	require.ErrorIs(t, err, syscall.ECONNRESET)

	require.NoError(t, c.Close())
	_, err = c.Write([]byte("x"))
	requireOp(t, err, "write", "tcp4", at(fake, port))
	_, err = io.Copy(c, io.LimitReader(far, 1))
	requireOp(t, err, "readfrom", "tcp4", at(fake, port))
	_, err = io.Copy(io.Discard, c)
	requireOp(t, err, "writeto", "tcp4", at(fake, port))
	for op, err := range map[string]error{
		"close": c.Close(), "set": c.SetDeadline(time.Time{}),
	} {
		requireOp(t, err, op, "tcp4", at(fake, port))
		require.ErrorIs(t, err, net.ErrClosed)
	}
}

// An error of the source of a copy is wrapped in the connection's own error, whether the Gateway's
// connection does the copying or not.
func TestCopyErrorWrapsItsSources(t *testing.T) {
	source := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("the source broke")}
	near, _ := connect(t, behind(t, new(testgw.Gateway)))
	a, b := net.Pipe()
	defer b.Close()
	d := &dialer.Dialer{Gateway: gatewayFunc{dial: func(string) (net.Conn, error) { return a, nil }}, Table: newTable(t, mapping.Config{})}
	piped, err := d.Dial("tcp", at(name, 80))
	require.NoError(t, err)
	defer piped.Close()
	for _, c := range []*dialer.Conn{near, piped.(*dialer.Conn)} {
		_, err := c.ReadFrom(failingReader{source})
		require.Same(t, source, requireOp(t, err, "readfrom", "tcp", c.RemoteAddr().String()))
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestListenerErrorsAreNets(t *testing.T) {
	g := &testgw.Gateway{Misbehave: func(int) testgw.Fault {
		return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
			if at == testgw.StageSecondReply {
				return []byte("\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")
			}
			return b
		}}
	}}
	d := behind(t, g)
	l, err := d.Listen(t.Context(), "tcp4", at(name, 21))
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.(*dialer.Listener).SetDeadline(time.Unix(1, 0)))
	_, err = l.Accept()
	requireOp(t, err, "accept", "tcp4", address)
	require.True(t, err.(net.Error).Timeout())
	require.NoError(t, l.(*dialer.Listener).SetDeadline(time.Time{}))

	if far, err := net.Dial("tcp", address); err == nil {
		defer far.Close()
	}
	_, err = l.Accept()
	requireOp(t, err, "accept", "tcp4", address)
	require.ErrorIs(t, err, socks.ErrNotAllowed)
	_, err = l.Accept()
	requireOp(t, err, "accept", "tcp4", address)
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, l.Close())
	requireOp(t, l.Close(), "close", "tcp4", address)
	requireOp(t, l.(*dialer.Listener).SetDeadline(time.Time{}), "set", "tcp4", address)
	require.Zero(t, leases(d))
}
