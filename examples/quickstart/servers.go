package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// serveHTTP starts an ordinary web server on node D. It returns the server's port and a func that stops it.
func serveHTTP(ip netip.Addr) (uint16, func(), error) {
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return 0, nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) }) // ends with the server's Close
	return portOf(l.Addr()), func() { server.Close(); serving.Wait() }, nil
}

// serveEcho starts a server that sends every datagram back.
func serveEcho(ip netip.Addr) (uint16, func(), error) {
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return 0, nil, err
	}
	var serving sync.WaitGroup
	serving.Go(func() { // ends with the socket's Close
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			c.WriteTo(buf[:n], from)
		}
	})
	return portOf(c.LocalAddr()), func() { c.Close(); serving.Wait() }, nil
}

// serveCallback accepts one connection, reads an address from it, connects to that address and sends the page, as an
// FTP server does in active mode.
func serveCallback(ip netip.Addr) (uint16, func(), error) {
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return 0, nil, err
	}
	var serving sync.WaitGroup
	serving.Go(func() { // ends with its one client, or with the listener's Close
		control, err := l.Accept()
		if err != nil {
			return
		}
		defer control.Close()
		address, err := readLine(control)
		if err != nil {
			return
		}
		data, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer data.Close()
		io.WriteString(data, page)
	})
	return portOf(l.Addr()), func() { l.Close(); serving.Wait() }, nil
}

// readLine returns the first line.
func readLine(c net.Conn) (string, error) {
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

func portOf(a net.Addr) uint16 {
	return netip.MustParseAddrPort(a.String()).Port()
}
