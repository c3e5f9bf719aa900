package socks_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// A name that a gateway sends may be written to a log or to a line of a protocol, as Listener.Addr to FTP's PORT.
func TestNamesInRepliesAreChecked(t *testing.T) {
	for _, name := range []string{"\x00", "a\r\nDELE b", "a b", "a\x7f", "caf\xc3\xa9.example", "\x1b[2J"} {
		reply, err := wire.AppendReply(nil, wire.Succeeded, wire.Addr{Name: name, Port: 21})
		require.NoError(t, err)
		for at, operate := range map[testgw.Stage]func(*socks.Client) error{
			testgw.StageReply: func(c *socks.Client) error {
				_, err := c.Dial("tcp", "127.0.0.1:80")
				require.ErrorIs(t, err, socks.ErrProtocol)
				_, err = c.ResolveAddr(t.Context(), netip.MustParseAddr("127.0.0.1"))
				require.ErrorIs(t, err, socks.ErrProtocol)
				_, err = c.Listen(t.Context(), "tcp", "")
				return err
			},
			testgw.StageSecondReply: func(c *socks.Client) error {
				l, err := c.Listen(t.Context(), "tcp", "")
				require.NoError(t, err)
				defer l.Close()
				came, err := net.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				defer came.Close()
				_, err = l.Accept()
				return err
			},
		} {
			c := clientOf(t, &testgw.Gateway{
				Dial:      toSilence,
				Hosts:     map[string][]netip.Addr{"name.example": {loopback4}},
				Misbehave: answering(at, string(reply)),
			})
			err := operate(c)
			require.ErrorIs(t, err, socks.ErrProtocol, "%q", name)
			require.NotContains(t, err.Error(), name)
		}
	}
}

// A datagram whose sender is not a name is dropped, for the same reason.
func TestNamesInDatagramsAreChecked(t *testing.T) {
	var dropped []socks.DropReason
	c := &socks.Client{Trace: &socks.Trace{PacketDropped: func(_ net.Addr, reason socks.DropReason) { dropped = append(dropped, reason) }}}
	p, relay := relayed(t, c, "")
	send(t, relay, p, "\x00\x00\x00\x03\x03a\r\n\x00\x35x", fromSource+"whole")
	buf := make([]byte, 10)
	n, _, err := p.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "whole", string(buf[:n]))
	require.Equal(t, []socks.DropReason{socks.DropMalformed}, dropped)
}

// The error for a malformed address may be written to a log too.
func TestErrorsQuoteAddresses(t *testing.T) {
	for _, address := range []string{"\x1b[2Jname.example:80", "a\nb", "[\x00", "a\r\n:80"} {
		_, err := new(socks.Client).Dial("tcp", address)
		require.ErrorAs(t, err, new(*net.AddrError))
		require.NotRegexp(t, `[[:cntrl:]]`, err.Error())
	}
}
