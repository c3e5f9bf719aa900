package mapping_test

import (
	"fmt"
	"log"
	"net/netip"

	"github.com/sockslib/sockslib/mapping"
)

func ExampleTrace() {
	table, err := mapping.New(mapping.Config{Trace: &mapping.Trace{
		Assigned: func(name string, ipv4, _ netip.Addr) { fmt.Println(name, "was given an address:", ipv4.Is4()) },
		Stale:    func(addr netip.Addr) { fmt.Println(addr, "stands for no name") },
	}})
	if err != nil {
		log.Fatal(err)
	}
	table.Assign("ip4", "www.example")
	table.Assign("ip4", "www.example")
	table.Name(netip.MustParseAddr("240.0.0.0"))
	// Output:
	// www.example was given an address: true
	// 240.0.0.0 stands for no name
}
