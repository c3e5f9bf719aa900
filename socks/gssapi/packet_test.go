package gssapi

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// echo starts a server that sends back each datagram, and returns its address.
func echo(t testing.TB) netip.AddrPort {
	p, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() { // ends with the socket
		defer close(ended)
		b := make([]byte, 1<<16)
		for {
			n, from, err := p.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			p.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	t.Cleanup(func() { p.Close(); <-ended })
	return p.LocalAddr().(*net.UDPAddr).AddrPort()
}

func associate(t testing.TB, c *socks.Client) *socks.PacketConn {
	t.Helper()
	p, err := c.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	require.NoError(t, p.SetDeadline(time.Now().Add(time.Minute)))
	return p.(*socks.PacketConn)
}

// maxOver is the longest payload of a datagram over IPv4 to an IPv4 address, by protection.
var maxOver = map[Protection]int{Confidentiality: 65433, Integrity: 65465, None: 65497}

func TestDatagramsOfEverySizeArrive(t *testing.T) {
	for _, p := range protectionsAll {
		for _, rotate := range []int{0, 28} {
			c, g := world(t, p, &acceptor.Acceptor{Rotate: rotate})
			to := echo(t)
			pc := associate(t, c)
			require.NoError(t, pc.SetReadBuffer(1<<20))
			require.NoError(t, pc.SetWriteBuffer(1<<20))
			b := make([]byte, 1<<16)
			for _, n := range []int{0, 1, 16, 1000, 9000, maxOver[p]} {
				sent := strings.Repeat("x", n)
				m, err := pc.WriteToAddrPort([]byte(sent), to)
				require.NoError(t, err)
				require.Equal(t, n, m)
				m, from, err := pc.ReadFromAddrPort(b)
				require.NoError(t, err)
				require.Equal(t, sent, string(b[:m]))
				require.Equal(t, to, from)
			}
			for _, n := range []int{maxOver[p] + 1, 65500, 65535} {
				m, err := pc.WriteToAddrPort(make([]byte, n), to)
				require.ErrorIs(t, err, syscall.EMSGSIZE, "%d bytes at %s", n, p)
				require.Zero(t, m)
			}
			require.Equal(t, acceptor.User, g.Requests()[0].User)

			fixed, err := c.DialContext(t.Context(), "udp", to.String())
			require.NoError(t, err)
			defer fixed.Close()
			fixed.SetDeadline(time.Now().Add(time.Minute))
			fixed.Write([]byte("fixed"))
			n, err := fixed.Read(b[:3])
			require.NoError(t, err)
			require.Equal(t, "fix", string(b[:n]))
		}
	}
}

// A datagram that is truncated, changed or repeated is dropped and counted.
func TestDatagramsThatAreForgedAreDropped(t *testing.T) {
	for _, p := range []Protection{Confidentiality, Integrity} {
		keep := func(msg []byte) []byte { return msg }
		bend := make(chan func([]byte) []byte, 2) // one for each answer
		acc := &acceptor.Acceptor{Raw: func(mtyp byte, msg []byte) []byte {
			select {
			case f := <-bend:
				return f(msg)
			default:
				return msg
			}
		}}
		c, _ := world(t, p, acc)
		to := echo(t)
		pc := associate(t, c)
		// ask sends two datagrams, and returns the first answer that is delivered.
		ask := func(first func([]byte) []byte) string {
			bend <- first
			bend <- keep
			for _, text := range []string{"first", "second"} {
				_, err := pc.WriteToAddrPort([]byte(text), to)
				require.NoError(t, err)
			}
			b := make([]byte, 100)
			n, err := pc.Read(b)
			require.NoError(t, err)
			return string(b[:n])
		}
		var last []byte
		require.Equal(t, "first", ask(func(msg []byte) []byte { last = slices.Clone(msg); return msg }))
		_, err := pc.Read(make([]byte, 100)) // the second
		require.NoError(t, err)
		var dropped uint64
		drops := func(what string, f func([]byte) []byte) {
			t.Helper()
			require.Equal(t, "second", ask(f), what)
			dropped++
			require.Equal(t, dropped, pc.Stats().Malformed, what)
		}
		drops("repeated", func([]byte) []byte { return slices.Clone(last) })
		drops("too long", func(msg []byte) []byte { return append(msg, 0) })
		for n := range last {
			drops(fmt.Sprintf("%d bytes", n), func(msg []byte) []byte { return msg[:n] })
			if at := n - headerLen; at == 6 || at == 7 {
				continue // RRC is not protected
			}
			drops(fmt.Sprintf("byte %d", n), func(msg []byte) []byte { msg[n] ^= 0x10; return msg })
		}
	}
}

// relayed returns the client's end of a relay's socket, and the gateway's end with its context.
func relayed(t *testing.T) (near net.Conn, far *net.UDPConn, gateway *krb5.Context) {
	client, gateway := contexts(t, aes256)
	far, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { far.Close() })
	c, err := net.Dial("udp", far.LocalAddr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return newConn(nil, client, true).ProtectRelay(c), far, gateway
}

func TestDatagramsOutOfOrderAreAccepted(t *testing.T) {
	near, far, gateway := relayed(t)
	var messages [][]byte
	for i := range 200 {
		messages = append(messages, message(t, gateway, string(rune(1000+i)), true))
	}
	arrives := func(i int) bool {
		_, err := far.WriteTo(slices.Clone(messages[i]), near.LocalAddr())
		require.NoError(t, err)
		b := make([]byte, 10)
		n, err := near.Read(b)
		require.NoError(t, err)
		if n > 0 {
			require.Equal(t, string(rune(1000+i)), string(b[:n]))
		}
		return n > 0
	}
	for _, i := range []int{3, 0, 2, 1, 66, 65, 64, 5, 4, 150, 87, 199, 140, 136} {
		require.True(t, arrives(i), i)
		require.False(t, arrives(i), "again")
	}
	for _, i := range []int{135, 90, 7} {
		require.False(t, arrives(i), "a number below the window must not be accepted")
	}
}

// A message of the stream is not accepted again as a datagram.
func TestStreamIsNotRepeatedAsDatagram(t *testing.T) {
	client, gateway := contexts(t, aes256)
	first := message(t, gateway, "on the stream", true)
	_, err := client.UnwrapNext(slices.Clone(first[headerLen:]), true)
	require.NoError(t, err)
	relay := newConn(nil, client, true).ProtectRelay(nil).(*relayConn)
	require.Nil(t, relay.unwrap(first))
	require.Equal(t, "datagram", string(relay.unwrap(message(t, gateway, "datagram", true))))
}

func TestWindowAcceptsEachNumberOnce(t *testing.T) {
	w := window{top: 9, seen: ^uint64(0)}
	for _, step := range []struct {
		seq uint64
		new bool
	}{{9, false}, {0, false}, {10, true}, {10, false}, {12, true}, {11, true}, {11, false}, {75, true}, {12, false}, {11, false}, {13, true}, {13, false},
		{1 << 40, true}, {1<<40 - 63, true}, {1<<40 - 63, false}, {1<<40 - 64, false}, {75, false}, {1<<40 + 64, true}, {1 << 40, false}, {1<<40 + 1, true}} {
		require.Equal(t, step.new, w.add(step.seq), step.seq)
	}
	w = window{top: ^uint64(0), seen: 1}
	require.True(t, w.add(0), "sequence numbers wrap around")
	require.False(t, w.add(^uint64(0)))
	require.True(t, w.add(^uint64(0)-1))
}

// Several goroutines can send and receive concurrently.
func TestDatagramsMayBeSentConcurrently(t *testing.T) {
	c, _ := world(t, Confidentiality, new(acceptor.Acceptor))
	to := echo(t)
	pc := associate(t, c)
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() { // the test's, which waits for it; ends after its datagrams, or with pc's deadline
			for range 50 {
				pc.WriteToAddrPort([]byte{byte(i), byte(i), byte(i)}, to)
				b := make([]byte, 10)
				n, _, err := pc.ReadFromAddrPort(b)
				if err != nil || n != 3 || b[0] != b[1] || b[1] != b[2] {
					t.Errorf("%x, %v", b[:n], err)
					return
				}
			}
		})
	}
	running.Wait()
	require.Zero(t, pc.Stats().Malformed)
}
