package dialer_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
)

// ReadBatch returns the datagrams that it has read, although another goroutine waits for the next one.
func TestReadBatchDoesNotWaitForAnotherReader(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	p := listenPacket(t, d)
	answers := newResponder(t)
	write(t, p, "x", plainAddr(at(loopback4, answers.port)))
	_, relay := answers.receive()

	received := make(chan int, 100)
	var readers sync.WaitGroup
	reader := func(read func() (int, error)) {
		for n, err := read(); err == nil; n, err = read() {
			received <- n
		}
	}
	readers.Go(func() { // both end with p
		ms := []ipv4.Message{{Buffers: [][]byte{make([]byte, 10)}}, {Buffers: [][]byte{make([]byte, 10)}}}
		reader(func() (int, error) { return p.ReadBatch(ms, 0) })
	})
	readers.Go(func() {
		reader(func() (int, error) {
			_, _, err := p.ReadFrom(make([]byte, 10))
			return 1, err
		})
	})
	pace := time.NewTicker(3 * time.Millisecond) // a sync.Mutex is handed to a goroutine that has waited for a millisecond
	defer pace.Stop()
	for range 100 {
		<-pace.C
		answers.send("x", relay)
		select {
		case n := <-received:
			require.Equal(t, 1, n)
		case <-time.After(patience):
			require.Fail(t, "a datagram is withheld")
		}
	}
	require.NoError(t, p.Close())
	readers.Wait()
}

// A Gateway that returns neither an association nor an error is an error.
func TestGatewayWithoutAnAssociationIsAnError(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	real, calls := d.Gateway, 0
	d.Gateway = gatewayFunc{listenPacket: func(ctx context.Context) (net.PacketConn, error) {
		if calls++; calls == 2 {
			return real.ListenPacket(ctx, "udp", "")
		}
		return nil, nil
	}}
	_, err := d.ListenPacket(t.Context(), "udp", "")
	require.ErrorContains(t, err, "no association")
	p := listenPacket(t, d)
	write(t, p, "x", plainAddr(at(name, 9)))
	_, err = p.WriteTo([]byte("x"), plainAddr(at(other, 9)))
	require.ErrorContains(t, err, "no association")
	require.NoError(t, p.Close())
}

// With a fixed peer, WriteTo fails for that reason whatever the address is.
func TestWriteToWithAFixedPeerIsAnError(t *testing.T) {
	c, err := behind(t, new(testgw.Gateway)).Dial("udp", at(name, 9))
	require.NoError(t, err)
	defer c.Close()
	p := c.(*dialer.PacketConn)
	for _, addr := range []net.Addr{nil, plainAddr("nothing"), plainAddr(at(name, 9))} {
		_, err := p.WriteTo([]byte("x"), addr)
		require.True(t, errors.Is(err, net.ErrWriteToConnected), "%v", err)
	}
}
