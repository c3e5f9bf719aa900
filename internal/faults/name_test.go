package faults

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

var hostileNames = map[string]string{
	"300 bytes":         strings.Repeat("a.", 150),
	"a label of 64":     strings.Repeat("a", 64) + ".example",
	"NUL":               "good.example\x00.evil.example",
	"CR LF":             "good.example\r\nHost: evil.example",
	"percent":           "good%2eexample",
	"a zone":            "fe80::1%lo",
	"a space":           "good .example",
	"a tab":             "good\t.example",
	"DEL":               "good\x7f.example",
	"an escape":         "\x1b[2Jgood.example",
	"all-numeric":       "2130706433",
	"a short address":   "127.1",
	"an octal address":  "0177.0.0.1",
	"a hex address":     "0x7f000001",
	"trailing dots":     "good.example..",
	"dots alone":        "..",
	"a dot":             ".",
	"a leading dot":     ".good.example",
	"dots in a row":     "good..example",
	"not UTF-8":         "good\xff.example",
	"a right-to-left":   "good\u202egpj.example",
	"a slash":           "good/example",
	"an at":             "user@good.example",
	"a colon":           "good:80:80",
	"a hyphen first":    "-good.example",
	"an unpaired A":     "xn--\u00fc.example",
	"emoji with a NUL":  "☕\x00.example",
	"fullwidth numbers": "１２７.０.０.１",
	"only a hyphen":     "-",
}

// uses are the ways to pass a name to the library.
var uses = map[string]func(d *dialer.Dialer, c *socks.Client, name string) error{
	"socks connect": func(_ *dialer.Dialer, c *socks.Client, name string) error {
		_, err := c.Dial("tcp", net.JoinHostPort(name, "80"))
		return err
	},
	"socks associate": func(_ *dialer.Dialer, c *socks.Client, name string) error {
		_, err := c.Dial("udp", net.JoinHostPort(name, "53"))
		return err
	},
	"socks bind": func(_ *dialer.Dialer, c *socks.Client, name string) error {
		_, err := c.Listen(context.Background(), "tcp", net.JoinHostPort(name, "21"))
		return err
	},
	"socks resolve": func(_ *dialer.Dialer, c *socks.Client, name string) error {
		_, err := c.Resolve(context.Background(), name)
		return err
	},
	"dial": func(d *dialer.Dialer, _ *socks.Client, name string) error {
		_, err := d.Dial("tcp", net.JoinHostPort(name, "80"))
		return err
	},
	"dial UDP": func(d *dialer.Dialer, _ *socks.Client, name string) error {
		_, err := d.Dial("udp6", net.JoinHostPort(name, "53"))
		return err
	},
	"listen": func(d *dialer.Dialer, _ *socks.Client, name string) error {
		_, err := d.Listen(context.Background(), "tcp", net.JoinHostPort(name, "21"))
		return err
	},
	"assign": func(d *dialer.Dialer, _ *socks.Client, name string) error {
		_, err := d.Table.Assign("ip4", name)
		return err
	},
}

// A hostile name is an error before the gateway is reached, and the error has no control characters.
func TestHostileNamesNeverReachTheGateway(t *testing.T) {
	for what, name := range hostileNames {
		for how, use := range uses {
			t.Run(what+"/"+how, func(t *testing.T) {
				c := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
					t.Error("the gateway was reached")
					return nil, net.ErrClosed
				})}
				table, err := mapping.New(mapping.Config{})
				require.NoError(t, err)
				err = use(&dialer.Dialer{Gateway: c, Table: table}, c, name)
				require.Error(t, err)
				var addr *net.AddrError
				require.True(t, errors.As(err, &addr) || errors.Is(err, mapping.ErrBadName), "%v", err)
				require.Zero(t, table.Len())
				if how != "socks resolve" { // a *net.DNSError has the name as it was given
					require.NotRegexp(t, `[[:cntrl:]]`, err.Error())
				}
			})
		}
	}
}

// A datagram to a hostile name is an error, and neither the datagram nor an association for it reaches the
// gateway.
func TestHostileNamesOfDatagramsAreNeverSent(t *testing.T) {
	g := new(testgw.Gateway)
	c := overTCP(t, g)()
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	p, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer p.Close()
	q, err := (&dialer.Dialer{Gateway: c, Table: table}).ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	defer q.Close()
	for what, name := range hostileNames {
		for _, conn := range []net.PacketConn{p, q} {
			_, err := conn.WriteTo([]byte("x"), &socks.Addr{Net: "udp", Name: name, Port: 53})
			require.Error(t, err, what)
		}
	}
	require.Empty(t, g.Datagrams())
	require.Len(t, g.Requests(), 2)
}

// A name that IDNA can encode is sent in that form: as A-labels in lower case, without one trailing dot.
func TestUnusualNamesAreSentInTheirIDNAForm(t *testing.T) {
	for name, sent := range map[string]string{
		"☕.example":         "xn--53h.example",
		"I❤.example.":       "xn--i-7iq.example",
		"BÜCHER.Example.":   "xn--bcher-kva.example",
		"_tcp.Example":      "_tcp.example",
		"one":               "one",
		"例え.テスト":            "xn--r8jz45g.xn--zckzah",
		"a１.example":        "a1.example", // fullwidth digits are digits
		"ideographic。stop":  "ideographic.stop",
		"127.0.0.1.example": "127.0.0.1.example",
	} {
		t.Run(name, func(t *testing.T) {
			g := &testgw.Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, nil }}
			c := overTCP(t, g)()
			table, err := mapping.New(mapping.Config{})
			require.NoError(t, err)
			_, err = c.Dial("tcp", net.JoinHostPort(name, "80"))
			require.ErrorIs(t, err, socks.ErrHostUnreachable)
			_, err = (&dialer.Dialer{Gateway: c, Table: table}).Dial("tcp", net.JoinHostPort(name, "80"))
			require.ErrorIs(t, err, socks.ErrHostUnreachable)
			for _, r := range g.Requests() {
				require.Equal(t, sent, r.Name)
				require.Equal(t, testgw.Name, r.ATYP)
			}
			require.Len(t, g.Requests(), 2)
		})
	}
}
