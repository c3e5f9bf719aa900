package socks_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// FuzzSecondReplies checks that Accept ends whatever a gateway sends after the first reply to a BIND: with an
// expected error, or with a stream that begins directly after the second reply.
func FuzzSecondReplies(f *testing.F) {
	const first = "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x15"
	for _, says := range []string{
		"", "\x05", "\x05\x02", "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x50data", "\x05\x00\x00\x01\xc0\x00\x02\x02\x00\x50", "\x05\x00\x00\x03\x04name\x00\x50",
		"\x05\x00\x00\x03\x00\x00\x00", "\x05\x00\x00\x03\x03a\r\n\x00\x50", "\x04\x5a", "\x05\x00\x00\x00", "220 ready\r\n",
	} {
		f.Add([]byte(says), true)
		f.Add([]byte(says), false)
	}
	f.Fuzz(func(t *testing.T, says []byte, anyone bool) {
		c := &socks.Client{Addr: "gateway.example:1080", Handshake: socks.HandshakeStepwise, Forward: saying(append([]byte(first), says...))}
		peer := ""
		if !anyone {
			peer = "192.0.2.1:80"
		}
		l, err := c.Listen(t.Context(), "tcp", peer)
		require.NoError(t, err)
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			var reply socks.Reply
			require.True(t, errors.As(err, &reply) || errors.Is(err, socks.ErrGateway) || errors.Is(err, socks.ErrProtocol), "%v", err)
			return
		}
		defer conn.Close()
		if from, ok := conn.RemoteAddr().(*net.TCPAddr); !anyone {
			require.True(t, ok)
			require.Equal(t, "192.0.2.1", from.IP.String())
		}
		rest, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, bytes.HasSuffix(says, rest))
	})
}

// FuzzResolutions checks that RESOLVE and RESOLVE_PTR return an address and a name, or an error.
func FuzzResolutions(f *testing.F) {
	for _, says := range []string{
		"\x05\x00\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x00", "\x05\x00\x05\x00\x00\x03\x0cname.example\x00\x00", "\x05\x00\x05\x00\x00\x03\x00\x00\x00",
		"\x05\x00\x05\x00\x00\x03\x03a\r\n\x00\x00", "\x05\x00\x05\x04", "\x05\x00\x05\x00\x00\x04" + "0123456789abcdef\x00\x00",
	} {
		f.Add([]byte(says))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		c := &socks.Client{Addr: "gateway.example:1080", Handshake: socks.HandshakeStepwise, Forward: saying(says)}
		addr, err := c.Resolve(t.Context(), "name.example")
		require.Equal(t, err == nil, addr.IsValid())
		require.Zero(t, addr.Zone())
		name, err := c.ResolveAddr(t.Context(), netip.MustParseAddr("192.0.2.1"))
		require.Equal(t, err == nil, name != "")
		for _, r := range name {
			require.True(t, ' ' < r && r < 0x7f, "%q", name)
		}
	})
}
