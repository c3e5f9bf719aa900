package testgw

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
)

// veiled inverts every byte, of the stream and of datagrams.
type veiled struct{ net.Conn }

func invert(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = ^b[i]
	}
	return string(b)
}

func (v veiled) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	copy(b, invert(string(b[:n])))
	return n, err
}

func (v veiled) Write(b []byte) (int, error)      { return v.Conn.Write([]byte(invert(string(b)))) }
func (v veiled) NetConn() net.Conn                { return v.Conn }
func (v veiled) ProtectRelay(c net.Conn) net.Conn { return veiled{c} }

const (
	veil      = 0x86
	noVeil    = 0x87
	greetVeil = "\x05\x03\x00\x02\x86"
	greetNone = "\x05\x02\x00\x87"
)

// veiledGateway returns a gateway with two methods. Both read a letter, which is the user. The first then inverts
// all bytes; the second changes nothing.
func veiledGateway(t *testing.T, g *Gateway) *Gateway {
	admit := func(c net.Conn) (string, error) {
		var b [1]byte
		if _, err := c.Read(b[:]); err != nil {
			return "", err
		}
		if !bytes.ContainsAny(b[:], "ab") {
			return "", errors.New("unknown")
		}
		return string(b[:]), nil
	}
	g.Methods = map[byte]func(context.Context, net.Conn) (net.Conn, string, error){
		veil: func(_ context.Context, c net.Conn) (net.Conn, string, error) {
			user, err := admit(c)
			return veiled{c}, user, err
		},
		noVeil: func(_ context.Context, c net.Conn) (net.Conn, string, error) {
			user, err := admit(c)
			return c, user, err
		},
	}
	return Start(t, g)
}

func TestOwnMethodProtectsTheRelay(t *testing.T) {
	g := veiledGateway(t, &Gateway{Users: map[string]string{"alice": "secret"}})
	to := listenPackets(t, ip4)

	c := dialRaw(t, g)
	c.send(greetVeil)
	c.expect("\x05\x86")
	c.send("a" + invert("\x05\x03\x00"+anywhere4))
	reply := invert(c.take(len(granted) + 1 + 4 + 2))
	require.Equal(t, granted, reply[:len(granted)])
	relay := netip.AddrPortFrom(ip4, uint16(reply[8])<<8|uint16(reply[9]))
	here := listenPackets(t, ip4)
	here.sendTo(relay, "\x00\x00\x00"+at(to.addr())+"in clear text") // not a veiled datagram, so it is dropped
	here.sendTo(relay, invert("\x00\x00\x00"+at(to.addr())+"ping"))
	to.sendTo(to.expect("ping"), "pong")
	here.expect(invert("\x00\x00\x00" + at(to.addr()) + "pong"))
	require.Equal(t, "a", g.Requests()[0].User)

	c = dialRaw(t, g)
	c.send(greetNone)
	c.expect("\x05\x87")
	c.send("b" + associateFor(anywhere4))
	c.expectReply()
	require.Equal(t, "b", g.Requests()[1].User)
	require.Equal(t, wire.Associate, g.Requests()[1].Command)

	c = dialRaw(t, g)
	c.send(greetVeil)
	c.expect("\x05\x86")
	c.send("x")
	c.expectEnd("")
	require.Len(t, g.Requests(), 2)
}

func TestOwnMethodIsPreferred(t *testing.T) {
	for greeting, answer := range map[string]string{
		"\x05\x02\x00\x86": "\x05\x86",
		"\x05\x02\x87\x86": "\x05\x87",
		"\x05\x02\x00\x88": "\x05\xff",
	} {
		r := dialRaw(t, veiledGateway(t, new(Gateway)))
		r.send(greeting)
		r.expect(answer)
	}
	r := dialRaw(t, veiledGateway(t, &Gateway{Optional: true}))
	r.send("\x05\x02\x00\x88")
	r.expect("\x05\x00")
}
