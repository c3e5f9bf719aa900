package dialer_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
)

// A Dialer can be a Gateway: it and the outer Dialer keep separate names and fake addresses.
func TestDialerBehindDialer(t *testing.T) {
	g := new(testgw.Gateway)
	inner := behind(t, g)
	for label, table := range map[string]*mapping.Table{"same table": inner.Table, "own table": newTable(t, mapping.Config{})} {
		t.Run(label, func(t *testing.T) {
			d := &dialer.Dialer{Gateway: inner, Table: table}
			port := echo(t, loopback4)
			fake := assign(t, d, "ip6", name)
			c, err := d.Dial("tcp", at(fake, port))
			require.NoError(t, err)
			echoes(t, c)
			require.Equal(t, testgw.Target{ATYP: testgw.Name, Name: name, Port: port}, lastTarget(t, g))
			require.Equal(t, at(fake, port), c.RemoteAddr().String())
			require.NotNil(t, c.(*dialer.Conn).BoundAddr())
			require.NoError(t, c.Close())

			l, err := d.Listen(t.Context(), "tcp", at(fake, 21))
			require.NoError(t, err)
			near, far := come(t, l, loopback4)
			require.Equal(t, at(fake, far.LocalAddr().(*net.TCPAddr).AddrPort().Port()), near.RemoteAddr().String())
			require.NoError(t, near.Close())
			require.NoError(t, l.Close())

			answersInReverse(t, d)
			require.Zero(t, leases(d))
			require.Zero(t, leases(inner))
		})
	}
}

func TestGatewayNeedsOnlyNetsPacketConn(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Gateway = plainGateway{d.Gateway}
	answersInReverse(t, d)
	realAndName(t, d)
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	require.Nil(t, p.(*dialer.PacketConn).BoundAddr())
	require.NoError(t, p.Close())
}
