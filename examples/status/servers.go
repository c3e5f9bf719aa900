package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// startWeb starts a web server that answers each request with some KiB.
func (w *world) startWeb() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, 500+rand.IntN(20_000)))
	})}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) }) // the world's; ends with the server's Close
	w.closers = append(w.closers, func() { server.Close(); serving.Wait() })
	w.web = port(l.Addr())
	return nil
}

// startFeed starts a server that sends some bytes to each client five times per second.
func (w *world) startFeed() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { // the world's; ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { send(ctx, c) }) // the world's; ends with ctx or the connection
		}
	})
	w.closers = append(w.closers, func() { cancel(); l.Close(); serving.Wait() })
	w.feed = port(l.Addr())
	return nil
}

func send(ctx context.Context, c net.Conn) {
	defer c.Close()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := c.Write(make([]byte, 1+rand.IntN(4000))); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// startEcho starts a server that sends datagrams back.
func (w *world) startEcho() error {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var serving sync.WaitGroup
	serving.Go(func() { // the world's; ends with the socket
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(b[:n], from)
		}
	})
	w.closers = append(w.closers, func() { c.Close(); serving.Wait() })
	w.echo = port(c.LocalAddr())
	return nil
}

func port(a net.Addr) uint16 { return netip.MustParseAddrPort(a.String()).Port() }

func hostPort(host string, port uint16) string { return net.JoinHostPort(host, fmt.Sprint(port)) }
