package dialer_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// options has the methods that set an option or shut down a side, by the Op of their errors.
var options = map[string]struct {
	op  string
	set func(*dialer.Conn) error
}{
	"SetKeepAlive":       {"set", func(c *dialer.Conn) error { return c.SetKeepAlive(true) }},
	"SetKeepAlivePeriod": {"set", func(c *dialer.Conn) error { return c.SetKeepAlivePeriod(time.Minute) }},
	"SetKeepAliveConfig": {"set", func(c *dialer.Conn) error { return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}) }},
	"SetNoDelay":         {"set", func(c *dialer.Conn) error { return c.SetNoDelay(false) }},
	"SetLinger":          {"set", func(c *dialer.Conn) error { return c.SetLinger(1) }},
	"SetReadBuffer":      {"set", func(c *dialer.Conn) error { return c.SetReadBuffer(1 << 14) }},
	"SetWriteBuffer":     {"set", func(c *dialer.Conn) error { return c.SetWriteBuffer(1 << 14) }},
	"SyscallConn":        {"raw", func(c *dialer.Conn) error { _, err := c.SyscallConn(); return err }},
	"CloseRead":          {"close", func(c *dialer.Conn) error { return c.CloseRead() }},
	"CloseWrite":         {"close", func(c *dialer.Conn) error { return c.CloseWrite() }},
}

func TestOptionsAreSetOrUnsupported(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	for option, test := range options {
		near, _ := connect(t, d)
		require.NoError(t, test.set(near), option)
	}
	near, far := net.Pipe()
	defer far.Close()
	d = &dialer.Dialer{Gateway: gatewayFunc{dial: func(string) (net.Conn, error) { return near, nil }}, Table: newTable(t, mapping.Config{})}
	c, err := d.Dial("tcp", at(name, 80))
	require.NoError(t, err)
	defer c.Close()
	for option, test := range options {
		err := test.set(c.(*dialer.Conn))
		require.ErrorIs(t, err, errors.ErrUnsupported, option)
		requireOp(t, err, test.op, "tcp", c.RemoteAddr().String())
	}
}

// Close after SetLinger(0) resets the connection: the option reaches the socket.
func TestCloseWithoutLingerResets(t *testing.T) {
	near, far := connect(t, behind(t, new(testgw.Gateway)))
	require.NoError(t, near.SetLinger(0))
	require.NoError(t, near.Close())
	_, err := far.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// The Gateway's connection counts the bytes of a file that io.Copy sends.
func TestBytesOfACopiedFileAreCounted(t *testing.T) {
	near, far := connect(t, behind(t, new(testgw.Gateway)))
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	path := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	n, err := io.Copy(near, f)
	require.NoError(t, err)
	require.EqualValues(t, len(data), n)
	got := make([]byte, len(data))
	_, err = io.ReadFull(far, got)
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.EqualValues(t, len(data), near.NetConn().(*socks.Conn).Stats().BytesWritten)
}
