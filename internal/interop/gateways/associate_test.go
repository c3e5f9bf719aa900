package gateways

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// associates tests UDP ASSOCIATE with all destinations, and with their fake addresses.
func (a against) associates(t *testing.T) {
	for _, d := range destinations {
		a.associate(t, d)
	}
	for _, f := range fakes {
		a.associateFake(t, f)
	}
	a.associateConnected(t)
}

func (a against) associate(t *testing.T, to destination) {
	a.each(t, "UDP ASSOCIATE to "+to.what, func(t *testing.T, ctx context.Context, c *socks.Client) string {
		p, err := c.ListenPacket(ctx, "udp", "")
		require.NoError(t, err)
		defer p.Close()
		dst, err := socks.ParseAddr("udp", a.server(to.host))
		require.NoError(t, err)
		if _, ok := requireDatagrams(t, p, dst).(*socks.Addr); ok {
			return works + "; answers come from the name"
		}
		return works
	})
}

func (a against) associateFake(t *testing.T, f mapped) {
	a.each(t, "UDP ASSOCIATE to "+f.what, func(t *testing.T, ctx context.Context, c *socks.Client) string {
		d, fake := a.fake(t, c, f)
		p, err := d.ListenPacket(ctx, "udp", "")
		require.NoError(t, err)
		defer p.Close()
		dst, err := net.ResolveUDPAddr("udp", fake)
		require.NoError(t, err)
		require.Equal(t, fake, requireDatagrams(t, p, dst).String(), "the answer must come from the fake")
		return works
	})
}

// associateConnected tests UDP ASSOCIATE with a fixed peer.
func (a against) associateConnected(t *testing.T) {
	a.each(t, "UDP ASSOCIATE by DialContext", func(t *testing.T, ctx context.Context, c *socks.Client) string {
		conn, err := c.DialContext(ctx, "udp", a.server(name4))
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = conn.Write([]byte("datagram"))
		require.NoError(t, err)
		requireDatagram(t, "datagram", conn.Read)
		return works
	})
}

// requireDatagrams sends datagrams of several lengths to a server that echoes them, and returns the address that they
// come back from.
func requireDatagrams(t *testing.T, p net.PacketConn, dst net.Addr) (from net.Addr) {
	t.Helper()
	require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
	for _, length := range []int{1, 512, 1400, 8000} {
		sent := strings.Repeat("u", length)
		n, err := p.WriteTo([]byte(sent), dst)
		require.NoError(t, err)
		require.Equal(t, length, n)
		requireDatagram(t, sent, func(b []byte) (n int, err error) {
			n, from, err = p.ReadFrom(b)
			return n, err
		})
	}
	return from
}

func requireDatagram(t *testing.T, want string, read func([]byte) (int, error)) {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, err := read(buf)
	require.NoError(t, err)
	require.Equal(t, want, string(buf[:n]))
}

// associating makes an association for a test.
func associating(ctx context.Context, c *socks.Client) error {
	p, err := c.ListenPacket(ctx, "udp", "")
	if err == nil {
		err = errors.Join(errors.New("associated"), p.Close())
	}
	return err
}

// endsAssociation stops the gateway while an association is open. The gateway cannot be used afterwards.
func (a against) endsAssociation(t *testing.T) {
	a.handshakes = a.handshakes[:1]
	a.fails(t, "UDP ASSOCIATE, the gateway ends", net.ErrClosed, func(ctx context.Context, c *socks.Client) error {
		p, err := c.ListenPacket(ctx, "udp", "")
		if err != nil {
			return err
		}
		defer p.Close()
		a.gateway.Stop()
		_, _, err = p.ReadFrom(make([]byte, 1))
		return err
	})
}
