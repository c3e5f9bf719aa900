package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/sockslib/sockslib/dialer"
)

// open opens a number of connections to an address, prints a line, and keeps them open until EOF of standard input.
func open(args []string) error {
	total, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	conns := make([]net.Conn, total)
	for i := range conns {
		if conns[i], err = dial(context.Background(), "tcp4", args[0]); err != nil {
			return err
		}
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// bulk transfers 1 GiB down and up, and prints MB/s. After the byte d the server sends 1 GiB; after the byte u it
// counts the bytes that follow.
func bulk(args []string) error {
	const size = 1 << 30
	down, err := dial(context.Background(), "tcp4", args[0])
	if err != nil {
		return err
	}
	defer down.Close()
	began := time.Now()
	if _, err := down.Write([]byte("d")); err != nil {
		return err
	}
	b := make([]byte, 256<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{down}, b)
	if err != nil || n != size {
		return fmt.Errorf("%d bytes: %v", n, err)
	}
	fmt.Printf("%.0f ", float64(size)/1e6/time.Since(began).Seconds())

	up, err := dial(context.Background(), "tcp4", args[0])
	if err != nil {
		return err
	}
	defer up.Close()
	began = time.Now()
	if _, err := up.Write([]byte("u")); err != nil {
		return err
	}
	for sent := 0; sent < size; sent += len(b) {
		if _, err := up.Write(b); err != nil {
			return err
		}
	}
	if err := up.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	if _, err := io.ReadFull(up, b[:1]); err != nil {
		return err
	}
	fmt.Printf("%.0f\n", float64(size)/1e6/time.Since(began).Seconds())
	return nil
}

// datagrams exchanges a number of datagrams with an address, 32 in flight at once, and prints the answers per
// second.
func datagrams(args []string) error {
	total, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	c, err := dial(context.Background(), "udp4", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 1200)
	began := time.Now()
	for range 32 {
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	for range total {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(b); err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	fmt.Printf("%.0f\n", float64(total)/time.Since(began).Seconds())
	return nil
}

// dial is DialContext of a net.Dialer or of the library's Dialer.
var dial = new(net.Dialer).DialContext

func useLibrary() {
	d, err := dialer.FromEnvironment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dial = d.DialContext
}
