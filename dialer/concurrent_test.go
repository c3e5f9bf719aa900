package dialer_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// Several goroutines write to several names and read at the same time. Each answer comes from the fake address that
// its datagram was sent to.
func TestConcurrentAnswersComeFromTheirFakes(t *testing.T) {
	g := &testgw.Gateway{Forgetful: true, Hosts: make(map[string][]netip.Addr)}
	const names, writers, readers, each = 4, 8, 4, 50
	for i := range names {
		g.Hosts[fmt.Sprintf("n%d.test", i)] = []netip.Addr{loopback4}
	}
	d := behind(t, g)
	port := echoPackets(t)
	p := listenPacket(t, d)
	var answered [writers]chan string
	for i := range answered {
		answered[i] = make(chan string, 1)
	}
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() { deliver(p, answered[:]) }) // ends with Close
	}
	for w := range writers {
		writing.Go(func() { // ends after its last datagram
			to := &socks.Addr{Name: fmt.Sprintf("n%d.test", w%names), Port: port}
			fake, err := d.Table.Assign("ip4", to.Name)
			if err != nil {
				t.Error(err)
				return
			}
			for number := range each {
				if _, err := p.WriteTo(fmt.Appendf(nil, "%d %d", w, number), to); err != nil {
					t.Error(err)
					return
				}
				if got := <-answered[w]; got != fmt.Sprint(number, " ", at(fake, port)) {
					t.Errorf("writer %d, datagram %d: %s", w, number, got)
				}
			}
		})
	}
	writing.Wait()
	require.NoError(t, p.Close())
	reading.Wait()
	require.Zero(t, leases(d))
}

// deliver reads "writer number" datagrams until p is closed, and sends the number and the sender to the writer's channel.
func deliver(p *dialer.PacketConn, answered []chan string) {
	b := make([]byte, 100)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		var writer, number int
		if _, err := fmt.Sscanf(string(b[:n]), "%d %d", &writer, &number); err == nil {
			answered[writer] <- fmt.Sprint(number, " ", from)
		}
	}
}

// Writes to changing names, deadlines and Close run at the same time.
func TestCloseDuringReadsAndWrites(t *testing.T) {
	g := &testgw.Gateway{Forgetful: true, Lookup: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{loopback4}, nil }}
	d := behind(t, g)
	for range 10 {
		p := listenPacket(t, d)
		p.SetMost(3)
		var running sync.WaitGroup
		for w := range 4 {
			running.Go(func() { // ends with Close
				for i := 0; ; i++ {
					to := plainAddr(fmt.Sprintf("n%d.test:9", (w+i)%6))
					if _, err := p.WriteTo([]byte("x"), to); err != nil {
						return
					}
				}
			})
			running.Go(func() { // ends with Close
				for {
					if _, _, err := p.ReadFrom(make([]byte, 1)); err != nil {
						return
					}
				}
			})
		}
		for range 3 {
			require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
			require.NoError(t, p.SetReadDeadline(time.Time{}))
		}
		require.NoError(t, p.Close())
		running.Wait()
	}
	require.Zero(t, leases(d))
}
