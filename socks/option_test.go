package socks_test

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// options are the socket options and half-closes, and the kinds of connection that do not support them.
var options = map[string]struct {
	set    func(*socks.Conn) error
	cannot []string
}{
	"SetKeepAlive":       {func(c *socks.Conn) error { return c.SetKeepAlive(true) }, []string{"unix"}},
	"SetKeepAlivePeriod": {func(c *socks.Conn) error { return c.SetKeepAlivePeriod(time.Minute) }, []string{"unix"}},
	"SetKeepAliveConfig": {func(c *socks.Conn) error { return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}) }, []string{"unix"}},
	"SetNoDelay":         {func(c *socks.Conn) error { return c.SetNoDelay(false) }, []string{"unix"}},
	"SetLinger":          {func(c *socks.Conn) error { return c.SetLinger(1) }, []string{"unix"}},
	"SetReadBuffer":      {func(c *socks.Conn) error { return c.SetReadBuffer(1 << 14) }, nil},
	"SetWriteBuffer":     {func(c *socks.Conn) error { return c.SetWriteBuffer(1 << 14) }, nil},
	"SyscallConn":        {func(c *socks.Conn) error { _, err := c.SyscallConn(); return err }, []string{"TLS"}},
	"CloseRead":          {func(c *socks.Conn) error { return c.CloseRead() }, []string{"TLS"}},
	"CloseWrite":         {func(c *socks.Conn) error { return c.CloseWrite() }, nil},
}

func TestConnSetsTheOptionsOfItsKind(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			c, l := way(t, new(testgw.Gateway)), listen(t)
			for option, test := range options {
				near, _ := connect(t, c, l)
				err := test.set(near)
				if !slices.Contains(test.cannot, name) {
					require.NoError(t, err, option)
					continue
				}
				require.ErrorIs(t, err, errors.ErrUnsupported, option)
				require.ErrorAs(t, err, new(*net.OpError), option)
			}
		})
	}
}

// With SetLinger(0), Close resets the connection, in a chain too.
func TestLingerZeroResets(t *testing.T) {
	for _, name := range []string{"tcp", "chain"} {
		t.Run(name, func(t *testing.T) {
			near, far := connect(t, ways[name](t, new(testgw.Gateway)), listen(t))
			require.NoError(t, near.SetLinger(0))
			require.NoError(t, near.Close())
			_, err := far.Read(make([]byte, 1))
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
	}
}
