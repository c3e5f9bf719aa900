package dialer_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// A PacketConn has the methods that QUIC and ICE implementations look for.
var _ interface {
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
	WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
} = (*dialer.PacketConn)(nil)

func TestMessagesAreSentAndReceived(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echoPackets(t)
	p := listenPacket(t, d)
	b := make([]byte, 100)
	for _, to := range []*net.UDPAddr{udpAddr(assign(t, d, "ip4", name), port), udpAddr(loopback4, port), udpAddr(assign(t, d, "ip6", other), port)} {
		n, oobn, err := p.WriteMsgUDP([]byte("hello"), []byte{1}, to) // not a control message
		require.NoError(t, err)
		require.Equal(t, [2]int{5, 1}, [2]int{n, oobn})
		n, oobn, flags, from, err := p.ReadMsgUDP(b, make([]byte, 100))
		require.NoError(t, err)
		require.Equal(t, [3]int{5, 0, 0}, [3]int{n, oobn, flags})
		require.Equal(t, "hello", string(b[:n]))
		require.Equal(t, to.String(), from.String())

		_, _, err = p.WriteMsgUDP([]byte("again"), nil, to)
		require.NoError(t, err)
		_, _, _, again, err := p.ReadMsgUDP(b, nil)
		require.NoError(t, err)
		require.Same(t, from, again)
	}
	_, _, err := p.WriteMsgUDP(b, nil, nil)
	require.Error(t, err)

	c, err := d.Dial("udp", at(name, port))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	fixed := c.(*dialer.PacketConn)
	_, _, err = fixed.WriteMsgUDP([]byte("fixed"), nil, nil)
	require.NoError(t, err)
	n, _, _, from, err := fixed.ReadMsgUDP(b, nil)
	require.NoError(t, err)
	require.Equal(t, "fixed", string(b[:n]))
	require.Equal(t, c.RemoteAddr(), from)
	_, _, err = fixed.WriteMsgUDP(b, nil, from)
	require.ErrorIs(t, err, net.ErrWriteToConnected)

	require.NoError(t, p.Close())
	_, _, _, _, err = p.ReadMsgUDP(b, nil)
	require.ErrorIs(t, err, net.ErrClosed)
}

// WriteBatch sends all messages, and ReadBatch returns the datagrams that need no waiting, with one name and with
// two.
func TestBatchesCarryEveryDatagram(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echoPackets(t)
	p := listenPacket(t, d)
	for _, hosts := range [][]string{{name}, {name, other}} {
		var sent []string
		var out []ipv4.Message
		for i := range 20 {
			text := fmt.Sprintf("datagram %d", i)
			to := udpAddr(assign(t, d, "ip4", hosts[i%len(hosts)]), port)
			sent = append(sent, fmt.Sprint(text, " ", to))
			out = append(out, ipv4.Message{Buffers: [][]byte{[]byte(text[:3]), []byte(text[3:])}, Addr: to})
		}
		n, err := p.WriteBatch(out, 0)
		require.NoError(t, err)
		require.Equal(t, len(out), n)
		require.Equal(t, len("datagram 0"), out[0].N)
		var got []string
		for len(got) < len(sent) {
			in := make([]ipv4.Message, 8)
			for i := range in {
				in[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 4), make([]byte, 100)}, OOB: make([]byte, 10), NN: 7, Flags: 7}
			}
			in[0].Buffers = [][]byte{make([]byte, 100)}
			n, err := p.ReadBatch(in, 0)
			require.NoError(t, err)
			require.NotZero(t, n)
			for i, m := range in[:n] {
				text := string(m.Buffers[0][:min(m.N, 4)]) + string(m.Buffers[1%len(m.Buffers)][:m.N-4])
				if i == 0 {
					text = string(m.Buffers[0][:m.N])
				}
				got = append(got, fmt.Sprint(text, " ", m.Addr))
				require.Zero(t, m.NN)
				require.Zero(t, m.Flags)
			}
		}
		require.ElementsMatch(t, sent, got)
	}
	n, err := p.ReadBatch(nil, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = p.WriteBatch([]ipv4.Message{{Buffers: [][]byte{[]byte("x")}, Addr: udpAddr(loopback4, port)}, {Buffers: [][]byte{[]byte("x")}}}, 0)
	require.Error(t, err, "no destination")
	require.Equal(t, 1, n)
}

// Package ipv4 cannot read or write without the SOCKS header.
func TestRawReadsAndWritesFail(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	port := echoPackets(t)
	p := listenPacket(t, d)
	raw := ipv4.NewPacketConn(p)
	ms := []ipv4.Message{{Buffers: [][]byte{make([]byte, 100)}}}
	_, err := raw.ReadBatch(ms, 0)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	ms[0].Addr = udpAddr(loopback4, port)
	_, err = raw.WriteBatch(ms, 0)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.NoError(t, raw.SetTTL(7))
	ttl, err := raw.TTL()
	require.NoError(t, err)
	require.Equal(t, 7, ttl, "the option is set on the socket")
	require.NoError(t, p.Close())
	_, err = p.SyscallConn()
	require.ErrorIs(t, err, net.ErrClosed)
}

// SyscallConn's Control returns no error if there are no sockets, because quic-go fails for an error.
func TestControlWithoutSocketsSucceeds(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Gateway = plainGateway{d.Gateway}
	p := listenPacket(t, d)
	raw, err := p.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(uintptr) { t.Error("Control called its func") }))
}

// The methods also work if the Gateway's associations have only the methods of net.PacketConn.
func TestMessagesNeedOnlyNetsPacketConn(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Gateway = plainGateway{d.Gateway}
	port := echoPackets(t)
	p := listenPacket(t, d)
	in := []ipv4.Message{{Buffers: [][]byte{make([]byte, 100)}}, {Buffers: [][]byte{make([]byte, 100)}}}
	for _, to := range []string{at(name, port), at(other, port), at(loopback4, port)} {
		write(t, p, "hello", plainAddr(to))
		n, err := p.ReadBatch(in, 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, "hello", string(in[0].Buffers[0][:in[0].N]))
	}
}
