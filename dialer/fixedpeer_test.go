package dialer_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestFixedPeerIsTheOnlySender(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	fake := assign(t, d, "ip6", name)
	for what, host := range map[string]any{"fake": fake, "name": name, "address": loopback4} {
		t.Run(what, func(t *testing.T) {
			r := newResponder(t)
			c, err := d.Dial("udp", at(host, r.port))
			require.NoError(t, err)
			defer c.Close()
			p := c.(*dialer.PacketConn)
			require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
			n, err := p.Write([]byte("question"))
			require.NoError(t, err)
			require.Equal(t, 8, n)
			text, relay := r.receive()
			require.Equal(t, "question", text)
			newResponder(t).send("stranger's", relay)
			r.send("answer", relay)
			b := make([]byte, 100)
			n, err = p.Read(b)
			require.NoError(t, err)
			require.Equal(t, "answer", string(b[:n]))

			r.send("another", relay)
			_, from, err := p.ReadFrom(b)
			require.NoError(t, err)
			require.Equal(t, c.RemoteAddr(), from)
			require.Equal(t, r.port, from.(*net.UDPAddr).AddrPort().Port())
			require.Equal(t, what != "address", d.Table.Contains(from.(*net.UDPAddr).AddrPort().Addr()))
			require.Equal(t, what != "address", p.Name() == name)

			_, err = p.WriteTo(b, from)
			require.ErrorIs(t, err, net.ErrWriteToConnected)
			_, err = p.WriteToAddrPort(b, from.(*net.UDPAddr).AddrPort())
			require.ErrorIs(t, err, net.ErrWriteToConnected)

			again, err := d.Dial("udp", c.RemoteAddr().String())
			require.NoError(t, err)
			require.Equal(t, c.RemoteAddr(), again.RemoteAddr())
			require.NoError(t, again.Close())
		})
	}
	require.Zero(t, leases(d))
}

func TestWriteNeedsAFixedPeer(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	p := listenPacket(t, d)
	require.Nil(t, p.RemoteAddr())
	require.Empty(t, p.Name())
	require.IsType(t, (*net.UDPAddr)(nil), p.LocalAddr())
	require.IsType(t, (*net.UDPAddr)(nil), p.BoundAddr())
	_, err := p.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EDESTADDRREQ)
}

// A PacketConn with a fixed peer ends with its association, and its errors have the cause. The end is counted and
// traced once.
func TestFixedPeerEndsWithItsAssociation(t *testing.T) {
	d, c := behindControls(t, new(testgw.Gateway))
	var ended []string
	d.Trace = &dialer.Trace{AssociationEnded: func(host string, why error) {
		ended = append(ended, fmt.Sprint(host, " ", errors.Is(why, socks.ErrGateway), " ", errors.Is(why, net.ErrClosed)))
	}}
	p, err := d.Dial("udp", at(name, 9))
	require.NoError(t, err)
	require.NoError(t, p.SetReadDeadline(time.Unix(1, 0)))
	_, err = p.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetReadDeadline(time.Time{}))
	stats := func() dialer.AssociationStats { return p.(*dialer.PacketConn).Stats().AssociationStats }
	require.Equal(t, dialer.AssociationStats{Open: 1, Made: 1}, stats())
	c.end(t, 0)
	for range 2 {
		_, err := p.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, err, socks.ErrGateway)
	}
	_, err = p.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, err, socks.ErrGateway)
	require.Equal(t, dialer.AssociationStats{Made: 1, Ended: 1}, stats())
	require.NoError(t, p.Close())
	require.Equal(t, []string{"only.test true false"}, ended)
	require.Equal(t, dialer.AssociationStats{Made: 1, Ended: 1}, stats())
	require.Zero(t, leases(d))

	p, err = d.Dial("udp", at(name, 9))
	require.NoError(t, err)
	require.NoError(t, p.Close())
	_, err = p.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	require.Equal(t, dialer.AssociationStats{Made: 1}, stats(), "the program ended it")
	require.Len(t, ended, 1)
}
