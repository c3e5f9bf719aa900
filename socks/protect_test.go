package socks_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

const veilMethod = 0x86

// veilAuth is a method of another package that protects the connection, and with veiledBoth datagrams too.
type veilAuth struct{ wrap func(net.Conn) net.Conn }

func (veilAuth) Method() byte { return veilMethod }

func (a veilAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) { return a.wrap(c), nil }

// veiled encodes what is written, so that it is not in clear text.
type veiled struct{ net.Conn }

func veil(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = ^c
	}
	return out
}

func (v veiled) Write(b []byte) (int, error) { return v.Conn.Write(veil(b)) }

func (v veiled) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	copy(b, veil(b[:n]))
	return n, err
}

// veiledBoth protects datagrams too.
type veiledBoth struct{ veiled }

func (veiledBoth) ProtectRelay(relay net.Conn) net.Conn { return veiled{relay} }

// incomparable is a connection of a type that is not comparable.
type incomparable struct {
	net.Conn
	_ []byte
}

// unprotecting protects the connection, but its ProtectRelay returns nil.
type unprotecting struct{ veiled }

func (unprotecting) ProtectRelay(net.Conn) net.Conn { return nil }

// veiledGateway starts a gateway that grants requests on the connection that wrap returns, after choosing
// veilMethod. The relay is a socket of the test. It returns a Client for the gateway, the relay, and the commands
// of the requests.
func veiledGateway(t *testing.T, wrap func(net.Conn) net.Conn) (*socks.Client, *net.UDPConn, <-chan wire.Command) {
	relay, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	require.NoError(t, relay.SetDeadline(time.Now().Add(time.Minute)))
	l := listen(t)
	asked := make(chan wire.Command, 10)
	var running sync.WaitGroup
	running.Go(func() { // owned by the test, which waits for it; ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // owned by the test; ends with the connection
				defer c.Close()
				wire.NewReader(c).ReadMethods()
				c.Write([]byte{wire.Version, veilMethod})
				c := wrap(c)
				cmd, _, err := wire.NewReader(c).ReadRequest()
				if err != nil {
					return
				}
				asked <- cmd
				reply, _ := wire.AppendReply(nil, wire.Succeeded, wire.Addr{IP: loopback4, Port: relay.LocalAddr().(*net.UDPAddr).AddrPort().Port()})
				c.Write(reply)
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); relay.Close(); running.Wait() })
	c := &socks.Client{Addr: l.Addr().String(), Auth: []socks.Auth{veilAuth{wrap}}}
	t.Cleanup(func() { c.Close() }) // before the gateway, which waits for its clients
	return c, relay, asked
}

// An Auth that protects datagrams protects all of them: the relay sees none in clear text.
func TestRelayIsProtected(t *testing.T) {
	for _, spare := range []int{0, 2} {
		c, relay, asked := veiledGateway(t, func(c net.Conn) net.Conn { return veiledBoth{veiled{c}} })
		c.Spare = spare
		for done := false; !done; done = spare == 0 || c.Stats().SpareHits > 0 {
			conn, err := c.DialContext(t.Context(), "udp", "192.0.2.1:53")
			require.NoError(t, err)
			require.Equal(t, wire.Associate, <-asked)
			_, err = conn.Write([]byte("question"))
			require.NoError(t, err)
			b := make([]byte, 100)
			n, from, err := relay.ReadFrom(b)
			require.NoError(t, err)
			require.Equal(t, fromSource+"question", string(veil(b[:n])))
			_, err = relay.WriteTo(veil([]byte(fromSource+"answer")), from)
			require.NoError(t, err)
			n, err = conn.Read(b)
			require.NoError(t, err)
			require.Equal(t, "answer", string(b[:n]))
			require.NoError(t, conn.Close())
		}
	}
}

// If an Auth replaced the connection and cannot protect datagrams, UDP ASSOCIATE fails before the request is sent.
func TestRelayThatCannotBeProtectedIsAnError(t *testing.T) {
	for what, wrap := range map[string]func(net.Conn) net.Conn{
		"without ProtectRelay": func(c net.Conn) net.Conn { return veiled{c} },
		"incomparable":         func(c net.Conn) net.Conn { return incomparable{Conn: c} },
	} {
		t.Run(what, func(t *testing.T) {
			c, relay, asked := veiledGateway(t, wrap)
			_, err := c.ListenPacket(t.Context(), "udp", "")
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, "ProtectRelay")
			require.NotErrorIs(t, err, socks.ErrGateway)

			conn, err := c.Dial("tcp", "name.example:80")
			require.NoError(t, err)
			defer conn.Close()
			require.Equal(t, wire.Connect, <-asked, "the UDP ASSOCIATE was not sent")
			require.NoError(t, relay.SetReadDeadline(time.Unix(1, 0)))
			_, _, err = relay.ReadFrom(make([]byte, 1))
			require.Error(t, err)
		})
	}
	c, _, _ := veiledGateway(t, func(c net.Conn) net.Conn { return unprotecting{veiled{c}} })
	_, err := c.ListenPacket(t.Context(), "udp", "")
	require.ErrorContains(t, err, "ProtectRelay")
}

// An Auth that returns its argument does not protect anything, even if that has a method ProtectRelay.
func TestAuthWithoutProtectionLeavesTheRelayClear(t *testing.T) {
	c, relay, _ := veiledGateway(t, func(c net.Conn) net.Conn { return c })
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if network == "tcp" {
			conn = &protecting{conn}
		}
		return conn, err
	})
	p := associate(t, c)
	_, err := p.WriteTo([]byte("clear"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53})
	require.NoError(t, err)
	b := make([]byte, 100)
	n, _, err := relay.ReadFrom(b)
	require.NoError(t, err)
	require.Equal(t, fromSource+"clear", string(b[:n]))
}

// protecting is a Forward's connection with a ProtectRelay, which the Client does not use.
type protecting struct{ net.Conn }

func (*protecting) ProtectRelay(net.Conn) net.Conn { panic("asked") }
