package dialer_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
)

// A dialer or listener with Control as its hook never uses a fake address.
func TestControlRefusesFakes(t *testing.T) {
	d := &dialer.Dialer{Table: newTable(t, mapping.Config{})}
	guarded := net.Dialer{Control: d.Control}
	config := net.ListenConfig{Control: d.Control}
	fake4, fake6 := assign(t, d, "ip4", name), assign(t, d, "ip6", name)
	var bad *net.AddrError

	for _, network := range []string{"tcp", "tcp4", "udp", "udp4"} {
		_, err := guarded.Dial(network, at(fake4, 80))
		require.ErrorAs(t, err, &bad)
		require.ErrorContains(t, err, name)
		_, err = guarded.Dial(network, "240.0.0.0:80")
		require.ErrorIs(t, err, mapping.ErrStale)
	}
	_, err := config.Listen(t.Context(), "tcp4", at(fake4, 0))
	require.ErrorAs(t, err, &bad)
	_, err = config.ListenPacket(t.Context(), "udp4", at(fake4, 0))
	require.ErrorAs(t, err, &bad)

	for _, address := range []string{at(fake6, 80), fake6.String(), fake4.String(), "[::ffff:" + fake4.String() + "]:80",
		"[" + fake6.String() + "%eth0]:80", fake6.String() + "%1", "[::ffff:" + fake4.String() + "%eth0]:80"} {
		require.ErrorAs(t, d.Control("tcp6", address, nil), &bad, address)
	}
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]:80", "192.0.2.1", "", "/run/socket", "@abstract"} {
		require.NoError(t, d.Control("tcp", address, nil), address)
	}
	require.ErrorContains(t, new(dialer.Dialer).Control("tcp", "192.0.2.1:80", nil), "no Table")
}

func TestControlPassesRealAddresses(t *testing.T) {
	d := &dialer.Dialer{Table: newTable(t, mapping.Config{})}
	config := net.ListenConfig{Control: d.Control}
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := (&net.Dialer{Control: d.Control}).Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.Close())
}
