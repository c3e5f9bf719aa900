package reset

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// streams returns both ends of a TCP connection.
func streams(t *testing.T) (near, far *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	d, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// wrapped hides the socket, like TLS.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

func requireEOF(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.EqualError(t, err, "EOF")
}

// After a write has returned the reset, a read returns EOF.
func TestResetReportedToAWriteIsNoEnd(t *testing.T) {
	near, far := streams(t)
	require.NoError(t, far.SetLinger(0))
	require.NoError(t, far.Close())
	require.False(t, Reported(near), "the reset has not been reported")
	near, far = streams(t)
	require.NoError(t, far.SetLinger(0))
	require.NoError(t, far.Close())
	_, err := near.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	requireEOF(t, near)
	require.True(t, Reported(near))
	require.True(t, Reported(wrapped{wrapped{near}}))
}

// The end of a stream before a reset is a real end.
func TestEndBeforeAResetIsAnEnd(t *testing.T) {
	near, far := streams(t)
	require.NoError(t, far.CloseWrite())
	requireEOF(t, near)
	require.False(t, Reported(near), "the connection is open")
	require.NoError(t, far.SetLinger(0))
	require.NoError(t, far.Close())
	require.False(t, Reported(near), "the error is pending")
	_, err := near.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
}

// Reported reports true after both directions have ended.
func TestReportedAfterBothDirectionsHaveEnded(t *testing.T) {
	near, far := streams(t)
	require.NoError(t, near.CloseWrite())
	requireEOF(t, far)
	require.NoError(t, far.CloseWrite())
	requireEOF(t, near)
	require.True(t, Reported(near))
	require.NoError(t, near.Close())
	require.False(t, Reported(near))
}

func TestNothingIsReportedWithoutASocket(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	require.False(t, Reported(near))
}
