package socks_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// echoAddress returns an address at which the first client's bytes are sent back.
func echoAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with its one client
		defer l.Close()
		if c, err := l.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	return l.Addr().String()
}

// If the first gateway is down, the request goes to the second one, and the first rests.
func ExampleGroup() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	group := &socks.Group{Clients: []*socks.Client{
		{Addr: closedAddr},
		{Addr: gateway.Addr().String()},
	}}
	defer group.Close()

	conn, err := group.DialContext(context.Background(), "tcp", echoAddress())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(len(gateway.Requests()), "request at the second")
	// Output: 1 request at the second
}

// Health shows which gateways of a Group work.
func ExampleGatewayHealth() {
	group := &socks.Group{Clients: []*socks.Client{{Addr: closedAddr}}}
	defer group.Close()
	if _, err := group.Dial("tcp", "intranet.example:80"); err != nil {
		for _, h := range group.Health() {
			fmt.Println(h.Failures, "failure, resting:", !h.RestsUntil.IsZero())
		}
	}
	// Output: 1 failure, resting: true
}

// Stats shows how requests ended.
func ExampleClientStats() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	client := &socks.Client{Addr: gateway.Addr().String()}

	conn, err := client.Dial("tcp", echoAddress())
	if err != nil {
		log.Fatal(err)
	}
	client.Dial("tcp", closedAddr)
	s := client.Stats()
	fmt.Println(s.Granted, "granted,", s.Refused, "refused,", s.Open, "open")
	conn.Close()
	fmt.Println(client.Stats().Open, "open")
	// Output:
	// 1 granted, 1 refused, 1 open
	// 0 open
}

// HistogramBound gives the upper bound of each bucket, which is twice the previous one.
func ExampleHistogram() {
	var h socks.Histogram
	h.Counts[3]++
	fmt.Println(h.Count(), "handshake took less than", socks.HistogramBound(3))
	// Output: 1 handshake took less than 524.288µs
}

// ConnStats counts the bytes that the application read and wrote.
func ExampleConnStats() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	client := &socks.Client{Addr: gateway.Addr().String()}
	conn, err := client.Dial("tcp", echoAddress())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "hello")
	conn.(*socks.Conn).CloseWrite()
	io.ReadAll(conn)
	s := conn.(*socks.Conn).Stats()
	fmt.Println(s.BytesWritten, "written,", s.BytesRead, "read")
	// Output: 5 written, 5 read
}

// PacketStats counts datagrams sent and received, and dropped datagrams by reason.
func ExamplePacketStats() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	client := &socks.Client{Addr: gateway.Addr().String()}
	conn, err := client.ListenPacket(context.Background(), "udp", "")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.WriteTo([]byte("ping"), &socks.Addr{IP: netip.MustParseAddr("127.0.0.1"), Port: 9}); err != nil {
		log.Fatal(err)
	}
	s := conn.(*socks.PacketConn).Stats()
	fmt.Println(s.Sent, "sent,", s.Malformed, "malformed")
	// Output: 1 sent, 0 malformed
}

// A Trace gets the DropReason of each dropped datagram.
func ExampleDropReason() {
	fmt.Println(socks.DropStranger)
	// Output: stranger
}

// A custom Auth runs its method on the connection, stepwise.
type questionAuth struct{ answer string }

func (questionAuth) Method() byte { return 0x80 } // RFC 1928, section 3: reserved for private methods

func (a questionAuth) Negotiate(_ context.Context, c net.Conn) (net.Conn, error) {
	_, err := io.WriteString(c, a.answer)
	return c, err
}

func ExampleAuth() {
	client := &socks.Client{Addr: closedAddr, Auth: []socks.Auth{questionAuth{"42"}, socks.NoAuth}}
	for _, a := range client.Auth {
		fmt.Printf("offers method %#02x\n", a.Method())
	}
	// Output:
	// offers method 0x80
	// offers method 0x00
}
