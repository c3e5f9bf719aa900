package resolver

import (
	"bytes"
	"context"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// FuzzParseArpa shows that a name that parseArpa accepts is the reverse name of the address that it returns.
func FuzzParseArpa(f *testing.F) {
	for _, addr := range []string{"192.0.2.1", "240.0.0.255", "100::1:2:3", "::", "::ffff:192.0.2.1"} {
		name, err := dns.ReverseAddr(addr)
		require.NoError(f, err)
		f.Add(name)
	}
	for _, name := range []string{"", ".", "in-addr.arpa.", "ip6.arpa.", "01.2.3.4.in-addr.arpa.", "1.2.3.4.IN-ADDR.ARPA", "a.2.3.4.in-addr.arpa.", "%eth0.ip6.arpa."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		addr, ok := parseArpa(name)
		if !ok {
			return
		}
		require.Zero(t, addr.Zone())
		again, err := dns.ReverseAddr(addr.String())
		require.NoError(t, err)
		back, ok := parseArpa(again)
		require.True(t, ok, again)
		require.Equal(t, addr, back)
	})
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
