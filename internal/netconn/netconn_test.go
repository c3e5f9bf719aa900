package netconn

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// able records which of its methods were called.
type able struct {
	net.Conn
	used []string
}

func (a *able) ReadFrom(r io.Reader) (int64, error) {
	a.used = append(a.used, "ReadFrom")
	return io.Copy(io.Discard, r)
}
func (a *able) WriteTo(io.Writer) (int64, error) {
	a.used = append(a.used, "WriteTo")
	return 0, io.EOF
}
func (a *able) CloseRead() error  { a.used = append(a.used, "CloseRead"); return nil }
func (a *able) CloseWrite() error { a.used = append(a.used, "CloseWrite"); return nil }

func TestConnCallsTheMethodsOfTheConnection(t *testing.T) {
	a := &able{}
	c := Conn{a}
	n, err := c.ReadFrom(strings.NewReader("four"))
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
	_, err = c.WriteTo(io.Discard)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, c.CloseRead())
	require.NoError(t, c.CloseWrite())
	require.Equal(t, []string{"ReadFrom", "WriteTo", "CloseRead", "CloseWrite"}, a.used)
}

// A pipe has none of the methods: copying works, and the others fail.
func TestConnWithoutMethodsOnlyCopies(t *testing.T) {
	near, far := net.Pipe()
	go func() { // ends after the echo of the bytes below
		defer far.Close()
		io.CopyN(far, far, int64(len("data")))
	}()
	c := Conn{near}
	echoed := make(chan string)
	go func() { // ends with the echo
		var b strings.Builder
		c.WriteTo(&b)
		echoed <- b.String()
	}()
	n, err := c.ReadFrom(strings.NewReader("data"))
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
	_, noSocket := c.SyscallConn()
	for _, err := range []error{
		noSocket, c.CloseRead(), c.CloseWrite(), c.SetKeepAlive(true), c.SetKeepAlivePeriod(0), c.SetKeepAliveConfig(net.KeepAliveConfig{}),
		c.SetNoDelay(true), c.SetLinger(0), c.SetReadBuffer(1), c.SetWriteBuffer(1),
	} {
		require.ErrorIs(t, err, errors.ErrUnsupported)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
	}
	require.Equal(t, "data", <-echoed)
	require.NoError(t, c.Close())
}
