package dialer_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/sockslib/sockslib/dialer"
)

// The reverse channel of a protocol like FTP: the program tells the peer where to connect.
func ExampleDialer_Listen() {
	gateway := exampleGateway()
	defer gateway.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	l, err := d.Listen(context.Background(), "tcp", "www.test:20")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	peer, err := net.Dial("tcp", l.Addr().String()) // at the destination, which knows the address
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(peer, "data")
	peer.Close()

	conn, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s from %s\n", data, conn.(*dialer.Conn).Name())
	// Output: data from www.test
}

// A Listener is a net.Listener for one connection.
func ExampleListener() {
	gateway := exampleGateway()
	defer gateway.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	l, err := d.Listen(context.Background(), "tcp", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.(*dialer.Listener).Addr().(*net.TCPAddr).IP)
	l.Close()
	_, err = l.Accept()
	fmt.Println(err != nil)
	// Output:
	// 127.0.0.1
	// true
}

func ExampleDialer_ListenPacket() {
	gateway := exampleGateway()
	defer gateway.Close()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	p, err := d.ListenPacket(context.Background(), "udp", "")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	fake, err := d.Table.Assign("ip4", "www.test")
	if err != nil {
		log.Fatal(err)
	}
	to := &net.UDPAddr{IP: fake.AsSlice(), Port: server.LocalAddr().(*net.UDPAddr).Port}
	p.WriteTo([]byte("question"), to)

	b := make([]byte, 100)
	n, relay, _ := server.ReadFrom(b)
	fmt.Println(string(b[:n]))
	server.WriteTo([]byte("answer"), relay)

	n, from, err := p.ReadFrom(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b[:n]), "from the fake address:", from.String() == to.String())
	// Output:
	// question
	// answer from the fake address: true
}

// For udp networks Dial returns a PacketConn with a fixed peer.
func ExamplePacketConn() {
	gateway := exampleGateway()
	defer gateway.Close()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	conn, err := d.Dial("udp", fmt.Sprintf("www.test:%d", server.LocalAddr().(*net.UDPAddr).Port))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "question")

	b := make([]byte, 100)
	n, _, _ := server.ReadFrom(b)
	fmt.Println(string(b[:n]), "for", conn.(*dialer.PacketConn).Name())
	// Output: question for www.test
}
