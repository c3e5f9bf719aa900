package resolver

import (
	"bytes"
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func TestNetResolverDialsMemory(t *testing.T) {
	r := (&Resolver{Table: newTable(t)}).NetResolver()
	query, err := newQuery("db.example.", dns.TypeA).Pack()
	require.NoError(t, err)
	for _, network := range []string{"udp", "tcp"} {
		c, err := r.Dial(t.Context(), network, "192.0.2.53:53")
		require.NoError(t, err)
		_, datagrams := c.(net.PacketConn)
		require.Equal(t, network == "udp", datagrams)

		_, err = c.Read(make([]byte, 512))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "no response can arrive")
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

// A Write fails if its context ends while the query is answered, so that no late response is used.
func TestMemConnEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &memConn{ctx: ctx, respond: func(context.Context, []byte) []byte { cancel(); return []byte("too late") }}
	_, err := c.Write([]byte("query"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Read(make([]byte, 10))
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzStream shows that each whole query on a stream is answered once, however the stream is divided into writes.
func FuzzStream(f *testing.F) {
	for _, query := range queryVectors(f) {
		f.Add(frame(query), uint8(1))
		f.Add(append(frame(query), frame(query)...), uint8(7))
	}
	f.Add([]byte{0, 0, 0, 0}, uint8(1))
	f.Add([]byte{0xff}, uint8(0))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		whole := asked(t, stream, len(stream))
		require.Equal(t, whole, asked(t, stream, int(piece)))
		require.Equal(t, frames(stream), whole)
	})
}

// asked returns the queries that a memConn finds in a stream that is written in parts.
func asked(t *testing.T, stream []byte, piece int) (queries [][]byte) {
	c := &memConn{stream: true, ctx: context.Background(), respond: func(_ context.Context, query []byte) []byte {
		queries = append(queries, bytes.Clone(query))
		return nil
	}}
	for len(stream) > 0 {
		n := min(max(piece, 1), len(stream))
		m, err := c.Write(stream[:n])
		require.NoError(t, err)
		require.Equal(t, n, m)
		stream = stream[n:]
	}
	return queries
}

// frames returns the messages that readFrame finds in a stream.
func frames(stream []byte) (all [][]byte) {
	r := bytes.NewReader(stream)
	for {
		b, err := readFrame(r)
		if err != nil {
			return all
		}
		all = append(all, b)
	}
}
