package resolver

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func TestNetResolverConn(t *testing.T) {
	r := (&Resolver{Table: newTable(t)}).NetResolver()
	query, err := newQuery("db.example.", dns.TypeA).Pack()
	require.NoError(t, err)
	for _, network := range []string{"udp", "tcp"} {
		c, err := r.Dial(t.Context(), network, "192.0.2.53:53")
		require.NoError(t, err)
		_, datagrams := c.(net.PacketConn)
		require.Equal(t, network == "udp", datagrams)

		_, err = c.Read(make([]byte, 512))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "nothing would ever come")
		var answer []byte
		if datagrams {
			_, err = c.Write(query)
			require.NoError(t, err)
			answer = make([]byte, 512)
			n, err := c.Read(answer)
			require.NoError(t, err)
			answer = answer[:n]
		} else {
			for _, b := range frame(query) {
				_, err = c.Write([]byte{b})
				require.NoError(t, err)
			}
			answer, err = readFrame(c)
			require.NoError(t, err)
		}
		var m dns.Msg
		require.NoError(t, m.Unpack(answer))
		require.Len(t, m.Answer, 1)

		require.NoError(t, c.SetDeadline(time.Unix(1, 0)))
		_, err = c.Write(query)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		require.True(t, ne.Timeout())
		require.NoError(t, c.SetDeadline(time.Time{}))
		require.NoError(t, c.Close())
		require.ErrorIs(t, c.Close(), net.ErrClosed)
		_, err = c.Write(query)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = c.Read(answer)
		require.ErrorIs(t, err, net.ErrClosed)
	}
}
