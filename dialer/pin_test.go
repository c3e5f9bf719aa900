package dialer_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
)

// pinning has each kind of connection that pins its name until it is closed.
func pinning(t *testing.T, d *dialer.Dialer, port uint16) map[string]func() (io.Closer, error) {
	return map[string]func() (io.Closer, error){
		"tcp":    func() (io.Closer, error) { return d.Dial("tcp", at(name, port)) },
		"udp":    func() (io.Closer, error) { return d.Dial("udp", at(name, port)) },
		"listen": func() (io.Closer, error) { return d.Listen(t.Context(), "tcp", at(name, port)) },
		"ListenPacket": func() (io.Closer, error) {
			p, err := d.ListenPacket(t.Context(), "udp", "")
			if err == nil {
				_, err = p.WriteTo([]byte("x"), plainAddr(at(name, port)))
			}
			return p, err
		},
	}
}

// In a table for one name, a second name fails until the connection with the first is closed.
func TestOpenConnectionPinsItsName(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echo(t, loopback4)
	for what, open := range pinning(t, d, port) {
		t.Run(what, func(t *testing.T) {
			d.Table = newTable(t, mapping.Config{Size: 1, Hold: time.Nanosecond})
			c, err := open()
			require.NoError(t, err)
			require.Equal(t, 1, leases(d))
			_, err = d.Dial("tcp", at(other, port))
			require.ErrorIs(t, err, mapping.ErrFull)
			var op *net.OpError
			require.ErrorAs(t, err, &op)

			same, err := d.Dial("tcp", at(name, port))
			require.NoError(t, err, "the name is in the table already")
			require.NoError(t, same.Close())

			require.NoError(t, c.Close())
			require.Zero(t, leases(d))
			next, err := d.Dial("tcp", at(other, port))
			require.NoError(t, err)
			require.NoError(t, next.Close())
		})
	}
}

// An address whose pair was evicted is stale, and does not lead to the name that replaced it.
func TestEvictedAddressIsStale(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	d.Table = newTable(t, mapping.Config{Size: 1, Hold: time.Nanosecond})
	port := echo(t, loopback4)

	c, err := d.Dial("tcp", at(name, port))
	require.NoError(t, err)
	seen := c.RemoteAddr().String()
	require.NoError(t, c.Close())
	c, err = d.Dial("tcp", at(other, port))
	require.NoError(t, err)
	require.NoError(t, c.Close())

	asked := len(g.Requests())
	for _, network := range []string{"tcp", "udp"} {
		_, err = d.Dial(network, seen)
		require.ErrorIs(t, err, mapping.ErrStale)
	}
	_, err = d.Listen(t.Context(), "tcp", seen)
	require.ErrorIs(t, err, mapping.ErrStale)
	require.Len(t, g.Requests(), asked)
}

// Each connection unpins its name once, even if it is closed twice.
func TestPinnedOncePerConnection(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echo(t, loopback4)
	first, err := d.Dial("tcp", at(name, port))
	require.NoError(t, err)
	second, err := d.Dial("tcp", at(name, port))
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.ErrorIs(t, first.Close(), net.ErrClosed)
	require.Equal(t, 1, leases(d))
	echoes(t, second)
	require.NoError(t, second.Close())
	require.Zero(t, leases(d))
}
