//go:build !race

package dialer_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// mirror starts a gateway that grants UDP ASSOCIATE and returns each datagram as if its destination had sent it.
// It does not allocate per datagram, so that all counted allocations are the library's. It returns the gateway's
// address.
func mirror(t *testing.T) string {
	l, _ := listen(t, loopback4)
	relay := newResponder(t)
	require.NoError(t, relay.SetDeadline(time.Time{}))
	var running sync.WaitGroup
	running.Go(func() { // owned by the test, which waits for it; ends when relay is closed
		b := make([]byte, 1<<16)
		for {
			n, from, err := relay.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = relay.WriteToUDPAddrPort(b[:n], from)
		}
	})
	running.Go(func() { // owned by the test, which waits for it; ends when l is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // owned by the test, which waits for it; ends with the client's connection
				defer c.Close()
				request := make([]byte, 3+10) // one method, and a wildcard
				if _, err := io.ReadFull(c, request[:3]); err != nil {
					return
				}
				_, _ = c.Write([]byte{5, 0})
				if _, err := io.ReadFull(c, request[3:]); err != nil || !bytes.Equal(request[3:7], []byte{5, 3, 0, 1}) {
					return
				}
				_, _ = c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, byte(relay.port >> 8), byte(relay.port)})
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); relay.Close(); running.Wait() })
	return l.Addr().String()
}

// A datagram costs no allocation in either direction, except for the address that ReadFrom returns.
func TestPacketsAllocateNothing(t *testing.T) {
	address := netip.MustParseAddrPort("192.0.2.1:53")
	const withReadFrom = "with ReadFrom"
	for what, run := range map[string]func(t *testing.T, d *dialer.Dialer, fake netip.AddrPort) func() error{
		"by fake": func(t *testing.T, d *dialer.Dialer, fake netip.AddrPort) func() error {
			return exchange(t, d, net.UDPAddrFromAddrPort(fake))
		},
		"by name": func(t *testing.T, d *dialer.Dialer, _ netip.AddrPort) func() error {
			return exchange(t, d, &socks.Addr{Net: "udp", Name: name, Port: 53})
		},
		"by address": func(t *testing.T, d *dialer.Dialer, _ netip.AddrPort) func() error {
			return exchange(t, d, net.UDPAddrFromAddrPort(address))
		},
		withReadFrom:       exchangeReadFrom,
		"by fake AddrPort": exchangeAddrPort,
		"two names": func(t *testing.T, d *dialer.Dialer, fake netip.AddrPort) func() error {
			return exchangeTwo(t, d, fake, netip.AddrPortFrom(assign(t, d, "ip4", other), 53))
		},
		"by message": exchangeMessage,
		"by batch":   exchangeBatch,
		"by message to an address": func(t *testing.T, d *dialer.Dialer, _ netip.AddrPort) func() error {
			return exchangeMessage(t, d, address)
		},
		"by AddrPort": func(t *testing.T, d *dialer.Dialer, _ netip.AddrPort) func() error {
			return exchangeAddrPort(t, d, address)
		},
		"fixed name": func(t *testing.T, d *dialer.Dialer, _ netip.AddrPort) func() error {
			return exchangeFixed(t, d, at(name, 53))
		},
		"fixed address": func(t *testing.T, d *dialer.Dialer, _ netip.AddrPort) func() error {
			return exchangeFixed(t, d, address.String())
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := &dialer.Dialer{Gateway: &socks.Client{Addr: mirror(t), Handshake: socks.HandshakeStepwise}, Table: newTable(t, mapping.Config{})}
			packet := run(t, d, netip.AddrPortFrom(assign(t, d, "ip4", name), 53))
			for range 10 { // fills the pools and maps
				require.NoError(t, packet())
			}
			most := map[string]float64{withReadFrom: 1}[what]
			require.LessOrEqual(t, testing.AllocsPerRun(500, func() {
				if err := packet(); err != nil {
					t.Error(err)
				}
			}), most)
		})
	}
}

// exchange returns a func that sends a packet to to and reads it back.
func exchange(t *testing.T, d *dialer.Dialer, to net.Addr) func() error {
	p := listenPacket(t, d)
	b := make([]byte, 1200)
	return func() error {
		if _, err := p.WriteTo(b, to); err != nil {
			return err
		}
		_, _, err := p.ReadFromAddrPort(b)
		return err
	}
}

func exchangeReadFrom(t *testing.T, d *dialer.Dialer, to netip.AddrPort) func() error {
	p, addr := listenPacket(t, d), net.UDPAddrFromAddrPort(to)
	b := make([]byte, 1200)
	return func() error {
		if _, err := p.WriteTo(b, addr); err != nil {
			return err
		}
		_, from, err := p.ReadFrom(b)
		if err == nil && from.(*net.UDPAddr).AddrPort() != to {
			t.Error(from)
		}
		return err
	}
}

func exchangeAddrPort(t *testing.T, d *dialer.Dialer, to netip.AddrPort) func() error {
	p := listenPacket(t, d)
	b := make([]byte, 1200)
	return func() error {
		if _, err := p.WriteToAddrPort(b, to); err != nil {
			return err
		}
		_, from, err := p.ReadFromAddrPort(b)
		if from != to {
			t.Error(from)
		}
		return err
	}
}

func exchangeMessage(t *testing.T, d *dialer.Dialer, to netip.AddrPort) func() error {
	p, addr := listenPacket(t, d), net.UDPAddrFromAddrPort(to)
	b := make([]byte, 1200)
	return func() error {
		if _, _, err := p.WriteMsgUDP(b, nil, addr); err != nil {
			return err
		}
		_, _, _, from, err := p.ReadMsgUDP(b, nil)
		if err == nil && from.AddrPort() != to {
			t.Error(from)
		}
		return err
	}
}

// exchangeTwo sends to two names, each of which has its own association, and reads both answers.
func exchangeTwo(t *testing.T, d *dialer.Dialer, to ...netip.AddrPort) func() error {
	p := listenPacket(t, d)
	b := make([]byte, 1200)
	addrs := []*net.UDPAddr{net.UDPAddrFromAddrPort(to[0]), net.UDPAddrFromAddrPort(to[1])}
	in := []ipv4.Message{{Buffers: [][]byte{b}}}
	return func() error {
		for i := range to {
			if _, _, err := p.WriteMsgUDP(b, nil, addrs[i]); err != nil {
				return err
			}
			_, _, _, from, err := p.ReadMsgUDP(b, nil)
			if err != nil {
				return err
			}
			if _, err := p.WriteToAddrPort(b, to[1-i]); err != nil {
				return err
			}
			if _, err := p.ReadBatch(in, 0); err != nil {
				return err
			}
			if from.AddrPort() != to[i] || in[0].Addr.(*net.UDPAddr).AddrPort() != to[1-i] {
				t.Error(from, in[0].Addr)
			}
		}
		return nil
	}
}

func exchangeBatch(t *testing.T, d *dialer.Dialer, to netip.AddrPort) func() error {
	p := listenPacket(t, d)
	out := []ipv4.Message{{Buffers: [][]byte{make([]byte, 1200)}, Addr: net.UDPAddrFromAddrPort(to)}}
	in := []ipv4.Message{{Buffers: [][]byte{make([]byte, 1200)}}, {Buffers: [][]byte{make([]byte, 1200)}}}
	return func() error {
		if _, err := p.WriteBatch(out, 0); err != nil {
			return err
		}
		_, err := p.ReadBatch(in, 0)
		return err
	}
}

func exchangeFixed(t *testing.T, d *dialer.Dialer, to string) func() error {
	p, err := d.Dial("udp", to)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
	b := make([]byte, 1200)
	return func() error {
		if _, err := p.Write(b); err != nil {
			return err
		}
		_, err := p.Read(b)
		return err
	}
}
