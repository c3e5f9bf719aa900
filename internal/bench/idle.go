package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/socks"
)

// idleKind is a way to hold associations.
type idleKind struct {
	name  string
	names int // per PacketConn
	open  func(context.Context, string, string) (net.PacketConn, error)
}

func idleKinds(a *servers.Addrs) ([]idleKind, error) {
	d, err := newDialer(newSocks(a, false))
	if err != nil {
		return nil, err
	}
	return []idleKind{
		{"**socks**, one reader each", 0, newSocks(a, false).ListenPacket},
		{"**dialer**, one reader each", 1, d.ListenPacket},
		{"**dialer**, 100 names per reader", 100, d.ListenPacket},
	}, nil
}

// idleUDP measures the memory and the goroutines of idle associations, each with a reader.
func idleUDP(l *lab, a *servers.Addrs, s *report.Section) error {
	most := l.pick(1000, 100)
	t := &report.Table{Head: []string{fmt.Sprintf("%d idle associations", most), "KB each", "goroutines each, without the reader's and one for all"}}
	kinds, err := idleKinds(a)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		bytes, goroutines, err := holdIdle(most, kind.names, kind.open)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		t.Row(kind.name, bytes/1000, goroutines)
		s.Figures = append(s.Figures,
			report.AtMost("KB of an idle association, "+report.Plain(kind.name), report.Sample{bytes / 1000}, 8),
			report.AtMost("goroutines of an idle association, "+report.Plain(kind.name), report.Sample{goroutines}, 1))
	}
	s.Parts = append(s.Parts, t)
	return nil
}

// holdIdle opens n associations and returns the bytes and goroutines per association. If names is not 0, each
// PacketConn has one association per name.
func holdIdle(n, names int, open func(context.Context, string, string) (net.PacketConn, error)) (bytes, goroutines float64, err error) {
	var conns []net.PacketConn
	before, running := inUse(), runtime.NumGoroutine()
	for range n / max(1, names) {
		c, err := open(context.Background(), "udp", "")
		if err != nil {
			return 0, 0, err
		}
		conns = append(conns, c)
		for i := range names {
			to := &socks.Addr{Net: "udp", Name: fmt.Sprintf("idle%d.example", i), Port: 9}
			if _, err := c.WriteTo([]byte("x"), to); err != nil {
				return 0, 0, err
			}
		}
		go func() { // ends with Close
			b := make([]byte, 1)
			for {
				if _, _, err := c.ReadFrom(b); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(200 * time.Millisecond) // until all goroutines wait
	bytes = float64(inUse()-before) / float64(n)
	const shared = 1 // the goroutine that watches the control connections, on Linux
	goroutines = float64(max(0, runtime.NumGoroutine()-running-len(conns)-shared)) / float64(n)
	for _, c := range conns {
		c.Close()
	}
	return bytes, goroutines, nil
}

// inUse returns the bytes of heap and stacks in use.
func inUse() int64 {
	runtime.GC()
	debug.FreeOSMemory() // empties the pools
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}
