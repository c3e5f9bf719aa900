package socks_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// A Group skips a nil Client, in order and with Spread.
func TestNilClientAmongOthers(t *testing.T) {
	for _, spread := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			works := &socks.Client{Addr: "127.0.0.1:1080", Forward: &gateway{answer: grants}}
			g := &socks.Group{Clients: []*socks.Client{nil, works}, Spread: spread}
			conn, err := g.Dial("tcp", "x.example:80")
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.NoError(t, g.Close())
			synctest.Wait()
		})
	}
}

// A Forward that returns neither a connection to the relay nor an error makes the request fail.
func TestForwardWithoutARelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: grants}
		c := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "udp" {
				return nil, nil
			}
			return g.DialContext(ctx, network, address)
		})}
		_, err := c.ListenPacket(t.Context(), "udp", "")
		require.ErrorIs(t, err, socks.ErrGateway)
		synctest.Wait()
		require.Zero(t, g.open.Load())
	})
}
