package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// endless is a gateway in memory that sends piece and then filler without end. It counts the bytes that clients
// read.
type endless struct {
	piece, filler string
	taken         atomic.Int64
	done          sync.WaitGroup
}

func (e *endless) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	e.done.Go(func() { _, _ = io.Copy(io.Discard, far) }) // ends with the connection
	e.done.Go(func() {                                    // ends with the connection
		say := e.piece
		for {
			n, err := io.WriteString(far, say)
			e.taken.Add(int64(n))
			if err != nil {
				return
			}
			say = e.filler
		}
	})
	return near, nil
}

// mostTaken is the greatest length of all messages of a handshake together.
const mostTaken = 2 + 2 + 3 + wire.MaxAddr

// A client reads no more from an endless gateway than the messages that are due.
func TestEndlessGatewayIsReadWithinBounds(t *testing.T) {
	var fillers []string
	for v := range 256 {
		fillers = append(fillers, strings.Repeat(string([]byte{byte(v)}), 1024))
	}
	fillers = append(fillers, strings.Repeat("HTTP/1.1 200 OK\r\n", 64), strings.Repeat("\x05\x00", 512), strings.Repeat("\x05\x02", 512))
	pieces := []string{"", "\x05", "\x05\x00", "\x05\x02", "\x05\x02\x01\x00", "\x05\x00\x05\x00\x00\x03\xff", "\x05\x02\x01\x00\x05\x00\x00\x03\xff"}
	auth := socks.UserPass(secretUser, secretPassword)
	for _, h := range []socks.Handshake{socks.HandshakeStepwise, socks.HandshakePipelined} {
		for _, piece := range pieces {
			for _, filler := range fillers {
				e := &endless{piece: piece, filler: filler}
				c := &socks.Client{Addr: "gateway.example:1080", Handshake: h, Auth: []socks.Auth{auth}, Forward: dialFunc(e.dial)}
				conn, err := c.Dial("tcp", "name.example:80")
				if err == nil {
					conn.Close()
				}
				e.done.Wait()
				require.LessOrEqual(t, e.taken.Load(), int64(mostTaken), "%q %q", piece, filler[:2])
			}
		}
	}
}

// A dial that does not get past the handshake allocates far less than 64 KiB, whatever the gateway sends. TLS
// would allocate what crypto/tls needs in addition.
func TestAllocatesLittleBeforeAuthentication(t *testing.T) {
	const dials, most = 100, 64 << 10
	for _, piece := range []string{"", "\x05\x02", "\x05\x02\x01\x00\x05\x00\x00\x03\xff", "HTTP/1.1 200 OK\r\n\r\n", "\x05\x02\x01\x01"} {
		e := &endless{piece: piece, filler: strings.Repeat("\xff", 1024)}
		c := &socks.Client{Addr: "gateway.example:1080", Auth: []socks.Auth{socks.UserPass(secretUser, secretPassword)}, Forward: dialFunc(e.dial)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range dials {
			if conn, err := c.Dial("tcp", "name.example:80"); err == nil {
				conn.Close()
			}
		}
		e.done.Wait()
		runtime.ReadMemStats(&after)
		each := (after.TotalAlloc - before.TotalAlloc) / dials
		t.Logf("%q…: %d bytes per dial, including the gateway's", piece, each)
		require.Less(t, each, uint64(most), "%q", piece)
	}
}

// hostileBounds are values of a reply's BND.
var hostileBounds = map[string]struct {
	bound wire.Addr
	relay bool // datagrams may go there
}{
	"elsewhere":            {wire.Addr{IP: netip.MustParseAddr("198.51.100.9"), Port: 9}, true},
	"elsewhere in IPv6":    {wire.Addr{IP: netip.MustParseAddr("2001:db8::9"), Port: 9}, true},
	"another loopback":     {wire.Addr{IP: netip.MustParseAddr("127.0.0.9"), Port: 9}, true},
	"multicast":            {wire.Addr{IP: netip.MustParseAddr("224.0.0.9"), Port: 9}, false},
	"broadcast":            {wire.Addr{IP: netip.MustParseAddr("255.255.255.255"), Port: 9}, false},
	"no port":              {wire.Addr{IP: netip.MustParseAddr("198.51.100.9")}, false},
	"a name":               {wire.Addr{Name: "relay.example", Port: 9}, false},
	"a name like a number": {wire.Addr{Name: "127.0.0.1", Port: 9}, false},
}

// Whatever BND a reply has, the client dials only the gateway and, for datagrams, its relay by the rule of package
// socks. It never dials a name.
func TestDialsNothingElseThanGatewayAndRelay(t *testing.T) {
	for name, b := range hostileBounds {
		for _, r := range requests {
			t.Run(name+"/"+r.name, func(t *testing.T) {
				reply, err := wire.AppendReply(nil, wire.Succeeded, b.bound)
				require.NoError(t, err)
				g := &testgw.Gateway{Misbehave: func(int) testgw.Fault {
					return testgw.Fault{Answer: replaced(testgw.StageReply, func([]byte) []byte { return reply })}
				}}
				reach(g)
				c := overTCP(t, g)()
				var dialed []string
				c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
					dialed = append(dialed, network+" "+address)
					if network == "udp" {
						return nil, net.ErrClosed // so no datagram is sent
					}
					return new(net.Dialer).DialContext(ctx, network, address)
				})
				table, err := mapping.New(mapping.Config{})
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err = r.do(ctx, &dialer.Dialer{Gateway: c, Table: table}, "53", user{})
				want := []string{"tcp " + g.Addr().String()}
				if r.name == "ASSOCIATE" {
					require.Error(t, err)
					if b.relay {
						want = append(want, "udp "+netip.AddrPortFrom(b.bound.IP, b.bound.Port).String())
					} else {
						require.ErrorIs(t, err, socks.ErrProtocol)
					}
				}
				require.Equal(t, want, dialed)
			})
		}
	}
}

// forging returns a gateway that forges the first datagram from its relay: it has another source and the text "forged".
func forging(source func(peer wire.Addr) wire.Addr) *testgw.Gateway {
	var forged atomic.Bool
	return &testgw.Gateway{Misbehave: func(int) testgw.Fault {
		return testgw.Fault{Answer: func(stage testgw.Stage, b []byte) []byte {
			if stage != testgw.StageDatagram || forged.Swap(true) {
				return b
			}
			d, err := wire.ParseDatagram(b)
			if err != nil {
				return nil
			}
			header, err := wire.AppendHeader(nil, source(wire.Addr{IP: d.IP, Port: d.Port}))
			if err != nil {
				return nil
			}
			return append(header, "forged"...)
		}}
	}}
}

// A stranger's datagram is never passed off as the peer's: neither one that is sent to the client's own socket,
// nor one to which the relay gives another source, nor one with a source in the reserved space, which would be
// another name's address.
func TestStrangersDatagramsAreNeverThePeers(t *testing.T) {
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	another, err := table.Assign("ip4", "another.example")
	require.NoError(t, err)
	for i, source := range []func(peer wire.Addr) wire.Addr{
		func(p wire.Addr) wire.Addr { p.Port++; return p },
		func(p wire.Addr) wire.Addr { return wire.Addr{IP: another, Port: p.Port + 1} },
		func(p wire.Addr) wire.Addr { return wire.Addr{Name: "another.example", Port: p.Port + 1} },
	} {
		for _, connected := range []bool{false, true} {
			t.Run(fmt.Sprint(i, connected), func(t *testing.T) {
				g := forging(source)
				reach(g)
				port := speakerOfDatagrams(t)
				p := packetConn(t, &dialer.Dialer{Gateway: overTCP(t, g)(), Table: table}, connected, port)
				defer p.Close()
				require.NoError(t, p.SetDeadline(time.Now().Add(patience)))

				stranger, err := net.Dial("udp", p.LocalAddr().String())
				require.NoError(t, err)
				defer stranger.Close()
				_, err = stranger.Write([]byte("\x00\x00\x00\x01\x7f\x00\x00\x01\x00\x35forged"))
				require.NoError(t, err)
				hearsItsPeer(t, p, connected, table, port)
			})
		}
	}
}

// hearsItsPeer sends to the destination and reads until the answer comes. Only the answer may come from the
// destination's fake address, and no datagram from another name's.
func hearsItsPeer(t *testing.T, p *dialer.PacketConn, connected bool, table *mapping.Table, port string) {
	t.Helper()
	fake, err := table.Assign("ip4", destination)
	require.NoError(t, err)
	for range 2 { // the answer to the first is the forged one
		if connected {
			_, err = p.Write([]byte("ping"))
		} else {
			_, err = p.WriteTo([]byte("ping"), &socks.Addr{Net: "udp", Name: destination, Port: portOf(port)})
		}
		require.NoError(t, err)
	}
	buf := make([]byte, 64)
	for {
		n, from, err := p.ReadFrom(buf)
		require.NoError(t, err)
		fromPeer := from.String() == net.JoinHostPort(fake.String(), port)
		require.Equal(t, fromPeer, string(buf[:n]) == said, "%q from %v", buf[:n], from)
		if fromPeer {
			return
		}
		require.False(t, connected, "a connected socket receives from its peer alone")
		ip, _ := netip.AddrFromSlice(from.(*net.UDPAddr).IP)
		name, _ := table.Name(ip.Unmap())
		require.Empty(t, name, "a datagram from another name's address")
	}
}

func packetConn(t testing.TB, d *dialer.Dialer, connected bool, port string) *dialer.PacketConn {
	if connected {
		c, err := d.DialContext(t.Context(), "udp", net.JoinHostPort(destination, port))
		require.NoError(t, err)
		return c.(*dialer.PacketConn)
	}
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	return p.(*dialer.PacketConn)
}

func portOf(s string) uint16 { return netip.MustParseAddrPort("0.0.0.0:" + s).Port() }
