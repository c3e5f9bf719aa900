package socks_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// An address that a gateway sends may be written to a log, or to a protocol line, such as FTP's PORT with
// Listener.Addr.
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

// The names in datagrams are checked in the same way.
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

// A gateway that sends too much on the control connection ends the association.
func TestControlConnectionTalks(t *testing.T) {
	var control net.Conn
	ended := make(chan struct{})
	c := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		near, far := net.Pipe()
		if network == "udp" {
			t.Cleanup(func() { far.Close() })
			return near, nil
		}
		control = far
		go func() { // ends with the connection
			defer close(ended)
			r := wire.NewReader(far)
			r.ReadMethods()
			r.ReadRequest()
			far.Write([]byte("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x35"))
			for err := error(nil); err == nil; {
				_, err = far.Write(make([]byte, 1000))
			}
		}()
		return near, nil
	})}
	p, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer p.Close()
	<-ended
	defer control.Close()
	_, _, err = p.ReadFrom(make([]byte, 10))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, err, socks.ErrProtocol)
}

// An address from an application may be written to a log too, even if it is malformed.
func TestErrorsQuoteAddresses(t *testing.T) {
	for _, address := range []string{"\x1b[2Jname.example:80", "a\nb", "[\x00", "a\r\n:80"} {
		_, err := new(socks.Client).Dial("tcp", address)
		require.ErrorAs(t, err, new(*net.AddrError))
		require.NotRegexp(t, `[[:cntrl:]]`, err.Error())
	}
}
