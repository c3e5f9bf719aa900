// Command client is a static Go program that makes the network calls of the tests.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"
)

func main() {
	modes := map[string]func([]string) error{
		"get": get, "http3": getHTTP3, "echo": echo, "daemon": daemon, "connects": connects, "late": late,
		"open": open, "bulk": bulk, "datagrams": datagrams, "confined": confined,
	}
	if len(os.Args) > 1 && os.Args[1] == "socks" { // uses the library, with the gateway in ALL_PROXY
		os.Args = append(os.Args[:1], os.Args[2:]...)
		useLibrary()
	}
	if len(os.Args) < 3 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: client MODE ARG…")
		os.Exit(2)
	}
	if err := modes[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func get(args []string) error {
	return fetch(http.DefaultClient, args[0])
}

func getHTTP3(args []string) error {
	t := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer t.Close()
	return fetch(&http.Client{Transport: t, Timeout: 20 * time.Second}, args[0])
}

func fetch(c *http.Client, url string) error {
	r, err := c.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.Copy(os.Stdout, r.Body)
	return err
}

// echo sends a datagram of a given size to each address by name, from one socket, and requires that each answer
// comes from that address.
func echo(args []string) error {
	p, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return err
	}
	defer p.Close()
	for i, address := range args {
		to, err := net.ResolveUDPAddr("udp4", address)
		if err != nil {
			return err
		}
		sent := make([]byte, 1000*(i+1))
		if _, err := p.WriteTo(sent, to); err != nil {
			return err
		}
		p.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 64<<10)
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return err
		}
		if n != len(sent) || from.String() != to.String() {
			return fmt.Errorf("%d bytes from %v in place of %d from %v", n, from, len(sent), to)
		}
		fmt.Println("echoed by", address)
	}
	return nil
}

// daemon starts a process in a new session that fetches a URL two seconds after this process has ended.
func daemon(args []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	return startLate(null, args)
}

// late waits, fetches a URL, and writes the page to a file.
func late(args []string) error {
	time.Sleep(2 * time.Second)
	r, err := http.Get(args[0])
	if err != nil {
		return os.WriteFile(args[1], []byte(err.Error()), 0o644)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[1]+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(args[1]+".new", args[1])
}

// connects connects to an address a number of times, some at once, and sends a byte on each connection.
func connects(args []string) error {
	var total, atOnce int
	if _, err := fmt.Sscan(args[1]+" "+args[2], &total, &atOnce); err != nil {
		return err
	}
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	failed := make(chan error, total)
	began := time.Now()
	for range total {
		slots <- struct{}{}
		wg.Go(func() { // ends with its connection; waited for below
			defer func() { <-slots }()
			failed <- once(args[0])
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	fmt.Println(total, "connects in", time.Since(began).Microseconds(), "µs")
	return nil
}

func once(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := dial(ctx, "tcp4", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}
