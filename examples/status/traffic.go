package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// The names of the demonstration. Names early in webNames are fetched from more often.
var (
	feedNames  = []string{"events.shop.test", "metrics.lab.test", "chat.example.test", "replica-1.db.test", "replica-2.db.test"}
	wrongNames = []string{"tpyo.shop.test", "gone.example.test"}
)

const echoName = "time.lab.test"

func webNames() []string {
	names := []string{"api.shop.test", "auth.shop.test", "search.shop.test", "www.example.test", "git.lab.test", "ci.lab.test", "xn--bcher-kva.test"}
	for i := range 30 {
		names = append(names, fmt.Sprintf("img-%02d.cdn.test", i+1))
	}
	return names
}

// atOnce limits the concurrent fetches.
const atOnce = 32

// traffic makes rate dials per second and keeps a few streams and an association open. It returns when ctx is
// done and its goroutines have ended.
func (w *world) traffic(ctx context.Context, rate float64) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, name := range feedNames {
		running.Go(func() { w.follow(ctx, name) }) // traffic's; ends with ctx
	}
	running.Go(func() { w.ping(ctx) }) // traffic's; ends with ctx

	client := &http.Client{
		Transport: &http.Transport{DialContext: w.lookupAndDial, DisableKeepAlives: true},
		Timeout:   5 * time.Second,
	}
	names := webNames()
	slots := make(chan struct{}, atOnce)
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		name := names[rand.IntN(1+rand.IntN(len(names)))]
		if rand.IntN(25) == 0 {
			name = wrongNames[rand.IntN(len(wrongNames))]
		}
		select {
		case slots <- struct{}{}:
		default:
			continue
		}
		running.Go(func() { // traffic's; ends with ctx, or with the client's Timeout
			w.fetch(ctx, client, name)
			<-slots
		})
	}
}

// lookupAndDial acts like an application that resolves first: it looks up a fake address, and dials it.
func (w *world) lookupAndDial(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	fakes, err := w.resolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	return w.dialer.DialContext(ctx, network, net.JoinHostPort(fakes[0], service))
}

// fetch gets a page. It ignores errors: the status page shows them.
func (w *world) fetch(ctx context.Context, client *http.Client, name string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostPort(name, w.web)+"/", nil)
	if err != nil {
		return
	}
	resp, err := client.Do(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	drain(resp.Body)
}

// follow reads from a feed for 10 to 90 s, and then connects again.
func (w *world) follow(ctx context.Context, name string) {
	for ctx.Err() == nil {
		c, err := w.lookupAndDial(ctx, "tcp", hostPort(name, w.feed))
		if err != nil {
			wait(ctx, time.Second)
			continue
		}
		end := context.AfterFunc(ctx, func() { c.Close() })
		fmt.Fprintf(c, "follow %s\n", name)
		c.SetReadDeadline(time.Now().Add(time.Duration(10+rand.IntN(80)) * time.Second))
		drain(unhurried{c})
		end()
		c.Close()
	}
}

// unhurried hides a connection's WriteTo, whose bytes are counted only when it ends. Bytes from Read are counted
// at once, so that the page shows them.
type unhurried struct{ c net.Conn }

func (u unhurried) Read(b []byte) (int, error) { return u.c.Read(b) }

// drain reads until EOF.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

// ping sends one datagram per second.
func (w *world) ping(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := w.dialer.DialContext(ctx, "udp", hostPort(echoName, w.echo))
		if err != nil {
			wait(ctx, time.Second)
			continue
		}
		b := make([]byte, 64)
		for wait(ctx, time.Second) {
			if _, err := c.Write(b); err != nil {
				break
			}
			c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.Read(b); err != nil {
				break
			}
		}
		c.Close()
	}
}

// wait waits for d, and reports false if ctx is done before.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
