package main

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/socks"
)

// countingTable measures the cost per Read of the counters of a Conn and its Client. The connections are in
// memory, one per goroutine, and belong to one Client.
func countingTable(l *lab, s *report.Section) error {
	memory := func(context.Context, string, string) (net.Conn, error) {
		return &instantConn{answer: strings.NewReader("\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")}, nil
	}
	c := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(memory)}
	counted := func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.DialContext(ctx, network, address)
	}
	goroutines := []int{1, runtime.GOMAXPROCS(0)}
	ways := []dialFunc{memory, counted}
	costs := make([]report.Sample, len(ways)*len(goroutines))
	reads := l.pick(2_000_000, 20_000)
	err := interleave("cost of counting", l.pick(9, 1), len(costs), func(i int) error {
		took, err := readAtOnce(ways[i%len(ways)], goroutines[i/len(ways)], reads)
		costs[i] = append(costs[i], float64(took.Nanoseconds())/float64(reads))
		return err
	})
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{"ns per Read, one byte from memory", "one goroutine", "one per processor"}}
	t.Row("the connection alone", costs[0], costs[2])
	t.Row("**socks**, which counts", costs[1], costs[3])
	s.Parts = append(s.Parts, t)
	return nil
}

// readAtOnce reads from n connections concurrently, reads times from each, and returns the time.
func readAtOnce(dial dialFunc, n, reads int) (time.Duration, error) {
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := dial(context.Background(), "tcp", "192.0.2.1:80")
		if err != nil {
			return 0, err
		}
		defer c.Close()
		conns[i] = c
	}
	var all sync.WaitGroup
	begun := time.Now()
	for _, c := range conns {
		all.Go(func() { // ends with its reads; awaited below
			var b [1]byte
			for range reads {
				_, _ = c.Read(b[:])
			}
		})
	}
	all.Wait()
	return time.Since(begun), nil
}

// instantConn is a connection in memory. Read returns answer, and zeros after it.
type instantConn struct {
	net.Conn
	answer *strings.Reader
}

func (c *instantConn) Read(b []byte) (int, error) {
	n, err := c.answer.Read(b)
	if err == io.EOF {
		clear(b)
		return len(b), nil
	}
	return n, err
}

func (c *instantConn) Write(b []byte) (int, error) { return len(b), nil }
func (c *instantConn) Close() error                { return nil }
func (c *instantConn) SetDeadline(time.Time) error { return nil }
func (c *instantConn) LocalAddr() net.Addr         { return new(net.TCPAddr) }
func (c *instantConn) RemoteAddr() net.Addr        { return new(net.TCPAddr) }
