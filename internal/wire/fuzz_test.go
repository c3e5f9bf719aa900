package wire

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzMessages reads any bytes as each kind of message. A message that is accepted is appended as the same bytes,
// and nothing after it is read. Exceptions are RSV, IPv4-mapped addresses, and empty names, which are read but
// never appended.
func FuzzMessages(f *testing.F) {
	kinds := []any{greeting{}, method(0), status(0), userPass{}, request{}, reply{}}
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, kind := range kinds {
			stream := bytes.NewReader(in)
			r := NewReader(stream)
			message, err := readMessage(r, kind)
			if err != nil {
				continue
			}
			if m, ok := message.(reply); ok && m.rep != Succeeded {
				continue // nothing after REP is read
			}
			require.Zero(t, r.Buffered())
			length := len(in) - stream.Len()
			out, err := appendMessage(nil, message)
			if err != nil {
				continue // an empty greeting, username or name
			}
			if len(out) != length {
				continue // an IPv4-mapped address became IPv4
			}
			want := bytes.Clone(in[:length])
			switch kind.(type) {
			case request, reply:
				want[2] = 0
			}
			require.Equal(t, want, out)
		}
	})
}

// FuzzDatagram checks that a datagram that is accepted is parsed from its own header and payload as the same
// datagram.
func FuzzDatagram(f *testing.F) {
	f.Add(unhex(f, "0000 00 01 c0000201 0035 ff"))
	f.Add(unhex(f, "0000 00 03 01 78 0035 ff"))
	f.Add(unhex(f, "0000 00 04 20010db8000000000000000000000001 0001 00"))
	f.Add(unhex(f, "0000 01 03 00 0001"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := ParseDatagram(in)
		if err != nil {
			return
		}
		require.True(t, bytes.HasSuffix(in, d.Payload))
		header, err := AppendHeader(nil, Addr{Name: string(d.Name), IP: d.IP, Port: d.Port})
		if err != nil {
			require.Empty(t, d.Name)
			return
		}
		again, err := ParseDatagram(append(header, d.Payload...))
		require.NoError(t, err)
		again.Frag = d.Frag
		require.Equal(t, d, again)
	})
}
