package dialer_test

import (
	"fmt"
	"log"

	"github.com/sockslib/sockslib/dialer"
)

// Code that needs a *net.UDPAddr, such as quic-go, gets one that stands for the name.
func ExampleDialer_ResolveUDPAddr() {
	d, err := dialer.FromURL("socks5://gateway.example:1080")
	if err != nil {
		log.Fatal(err)
	}
	addr, err := d.ResolveUDPAddr("udp", "example.com:443")
	if err != nil {
		log.Fatal(err)
	}
	name, _ := d.Table.Name(addr.AddrPort().Addr())
	fmt.Println(name, addr.Port)
	// Output: example.com 443
}
