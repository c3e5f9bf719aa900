package socks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// The inputs that fuzzing has found are kept in testdata/fuzz, each named for what was wrong.

// FuzzParseURL checks that an accepted URL has a gateway, and that the error for a refused URL does not quote it.
func FuzzParseURL(f *testing.F) {
	for _, raw := range []string{
		"socks5://gateway.example", "socks5h://u:p@[::1]:1080", "socks5s://127.0.0.1:443/", "socks5+unix://u@/run/gw",
		"socks5://user:sec/ret@host", "http://x", "socks5://h:99999", "socks5://h?q#f", "socks5://[fe80::1%25lo]",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := socks.ParseURL(raw)
		if err != nil {
			require.Nil(t, c)
			var inner *url.Error
			require.False(t, errors.As(err, &inner), "a *url.Error quotes the URL")
			return
		}
		require.NotEmpty(t, c.Addr)
		if c.Network == "unix" {
			return
		}
		host, port, err := net.SplitHostPort(c.Addr)
		require.NoError(t, err)
		require.NotEmpty(t, host)
		_, err = net.LookupPort("tcp", port)
		require.NoError(t, err)
	})
}

// FuzzParseAddr checks that an accepted address is parsed from its own String as the same address, and fits into a
// request.
func FuzzParseAddr(f *testing.F) {
	for _, address := range []string{
		"example.com:80", "EXAMPLE.com.:http", "[::ffff:192.0.2.1]:65535", "bücher.example:0", "a%b:1", "[fe80::1%lo]:1", ":4294967376", "127.1:80",
	} {
		f.Add("tcp", address)
		f.Add("udp6", address)
	}
	f.Fuzz(func(t *testing.T, network, address string) {
		a, err := socks.ParseAddr(network, address)
		if err != nil {
			require.Nil(t, a)
			return
		}
		again, err := socks.ParseAddr(a.Network(), a.String())
		require.NoError(t, err)
		require.Equal(t, a, again)
		_, err = wire.AppendRequest(nil, wire.Connect, wire.Addr{Name: a.Name, IP: a.IP, Port: a.Port})
		require.NoError(t, err)
		require.Zero(t, a.IP.Zone())
		require.False(t, strings.ContainsAny(a.Name, "\x00\r\n% "))
	})
}

// FuzzReplies checks that a dial ends whatever a gateway sends: with an expected error, or with a stream that
// begins directly after the reply.
func FuzzReplies(f *testing.F) {
	const granted = "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
	for _, says := range []string{
		"", "\x05", "\x05\x00" + granted, "\x05\x00" + granted + "first data", "\x05\x02\x01\x00" + granted + "x", "\x05\x02\x01\x01", "\x05\xff",
		"\x05\x00\x05\x05", "\x05\x00\x05\x00\x00\x03\x01x\x00\x50tail", "\x05\x00\x05\x00\x00\x03\x00\x00\x00", "\x01\x00" + granted, "\x05\x07\x00\x01",
		// The shortest reply, and with fewer bytes before it than a pipelined handshake with a password reads at once.
		"\x05\x00\x05\x00\x00\x03\x00\x00\x00tail", "\x01\x00\x05\x00\x00\x03\x00\x00\x00tail",
		"HTTP/1.1 400 Bad Request\r\n\r\n", "\x05\x00\x05\x00\x00\x09", "\x05\x00\x05\xf0\x00",
	} {
		for mode := range 3 {
			f.Add([]byte(says), byte(mode), false)
			f.Add([]byte(says), byte(mode), true)
		}
	}
	f.Fuzz(func(t *testing.T, says []byte, mode byte, credentials bool) {
		c := &socks.Client{Addr: "gateway.example:1080", Handshake: socks.Handshake(mode % 3), Forward: saying(says)}
		if credentials {
			c.Auth = []socks.Auth{socks.UserPass("user", "pass"), socks.NoAuth}
		}
		conn, err := c.Dial("tcp", "name.example:80")
		if err != nil {
			var reply socks.Reply
			known := errors.As(err, &reply)
			for _, class := range []error{socks.ErrGateway, socks.ErrProtocol, socks.ErrNoAcceptableAuth, socks.ErrAuthFailed} {
				known = known || errors.Is(err, class)
			}
			require.True(t, known, "%v", err)
			require.IsType(t, (*net.OpError)(nil), err)
			return
		}
		defer conn.Close()
		rest, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, bytes.HasSuffix(says, rest))
		require.True(t, endsAReply(says[:len(says)-len(rest)]), "%x and then %x", says, rest)
		require.NoError(t, conn.Close())
	})
}

// endsAReply reports whether b is the choice of a method, a status if the method has one, and one whole reply. Tor
// omits the choice.
func endsAReply(b []byte) bool {
	for _, before := range []int{2, 4} {
		if len(b) <= before {
			return false
		}
		r := bytes.NewReader(b[before:])
		if rep, _, err := wire.NewReader(r).ReadReply(); err == nil && rep == wire.Succeeded && r.Len() == 0 {
			return true
		}
	}
	return false
}

// FuzzDatagrams checks that any datagram from a relay is delivered or dropped, and that the next one is read
// unchanged.
func FuzzDatagrams(f *testing.F) {
	for _, d := range []string{
		"", "\x00", fromSource, fromSource + "payload", "\x00\x00\x01" + fromSource[3:] + "fragment", "\x00\x00\x00\x03\x04name\x00\x35x",
		"\x00\x00\x00\x03\x00\x00\x35x", "\x00\x00\x00\x05x", "\xff\xff" + fromSource[2:],
	} {
		f.Add([]byte(d), false)
		f.Add([]byte(d), true)
	}
	f.Fuzz(func(t *testing.T, datagram []byte, fixed bool) {
		var relay net.Conn
		dropped := 0
		c := &socks.Client{
			Addr:  "gateway.example:1080",
			Trace: &socks.Trace{PacketDropped: func(net.Addr, socks.DropReason) { dropped++ }},
			Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
				if network != "udp" {
					return silentAfter(1<<20, wire.MethodNone, nil)(ctx, network, address)
				}
				near, far := net.Pipe()
				relay = far
				return near, nil
			}),
		}
		conn, err := c.DialContext(t.Context(), "udp", "192.0.2.1:53")
		if !fixed {
			require.NoError(t, err)
			conn.Close()
			relay.Close()
			p, err := c.ListenPacket(t.Context(), "udp", "")
			require.NoError(t, err)
			conn = p.(*socks.PacketConn)
		}
		require.NoError(t, err)
		defer conn.Close()
		go func() { // ends when both are read, or with the connection
			relay.Write(datagram)
			relay.Write([]byte(fromSource + "the next"))
		}()
		buf := make([]byte, 1<<16)
		n, err := conn.Read(buf)
		require.NoError(t, err)
		if dropped == 0 {
			require.True(t, bytes.HasSuffix(datagram, buf[:n]))
			n, err = conn.Read(buf)
			require.NoError(t, err)
		}
		require.Equal(t, "the next", string(buf[:n]))
	})
}
