package dialer_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// PacketStats count datagrams, bytes and associations.
func ExamplePacketStats() {
	loopback := netip.MustParseAddr("127.0.0.1")
	gateway := &testgw.Gateway{Hosts: map[string][]netip.Addr{"one.example": {loopback}, "two.example": {loopback}}}
	if err := gateway.Start("tcp", "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	defer gateway.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	packets, err := d.ListenPacket(context.Background(), "udp", "")
	if err != nil {
		log.Fatal(err)
	}
	defer packets.Close()
	for _, name := range []string{"one.example", "two.example"} {
		var to net.Addr = &socks.Addr{Net: "udp", Name: name, Port: 9}
		if _, err := packets.WriteTo([]byte("hello"), to); err != nil {
			log.Fatal(err)
		}
	}
	s := packets.(*dialer.PacketConn).Stats()
	fmt.Println(s.Sent, "sent,", s.BytesSent, "bytes,", s.Strangers, "strangers dropped")
	fmt.Println(s.Open, "associations open,", s.Ended, "ended by the gateway,", s.Idle, "idle,", s.Replaced, "replaced")
	// Output:
	// 2 sent, 10 bytes, 0 strangers dropped
	// 2 associations open, 0 ended by the gateway, 0 idle, 0 replaced
}
