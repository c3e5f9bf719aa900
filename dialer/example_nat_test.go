package dialer_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// natted is a Forward for a gateway in a container or behind another NAT that reports its UDP relay at an address of
// its private network. natted connects to the relay at the gateway's host instead; the NAT must forward the relay's
// ports too.
type natted struct{ gateway string } // the host at which the gateway is reached

func (n natted) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "udp" {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(n.gateway, port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// The replies of a gateway behind NAT have an address of its private network, 172.17.0.2. For UDP, the Forward of
// the Client replaces it. For a Listener, the program tells the peer the gateway's public address, with the port
// of the Listener's Addr.
func Example_gatewayBehindNAT() {
	gateway := &sockstest.Server{Advertise: netip.MustParseAddr("172.17.0.2")}
	gateway.Start()
	defer gateway.Close()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client := gateway.Client()
	client.Forward = natted{"127.0.0.1"}
	d, err := dialer.FromURL(gateway.URL)
	if err != nil {
		log.Fatal(err)
	}
	d.Gateway = client

	c, err := d.Dial("udp", fmt.Sprintf("ntp.test:%d", server.LocalAddr().(*net.UDPAddr).Port))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "question")
	b := make([]byte, 100)
	n, _, _ := server.ReadFrom(b)
	fmt.Println(string(b[:n]))

	l, err := d.Listen(context.Background(), "tcp", "ftp.test:20")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr)
	tell := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.Port} // the gateway's public address
	peer, err := net.Dial("tcp", tell.String())
	if err != nil {
		log.Fatal(err)
	}
	peer.Close()
	fmt.Println(at.IP, "becomes", tell.IP)
	// Output:
	// question
	// 172.17.0.2 becomes 127.0.0.1
}
