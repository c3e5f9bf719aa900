package mapping_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/sockslib/sockslib/mapping"
)

func Example() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	// A resolver gives the application an address that only this table can translate.
	addr, err := table.Assign("ip4", "Example.COM.")
	if err != nil {
		log.Fatal(err)
	}
	// A dialer translates it back, and sends the gateway the name, which stays mapped until the release.
	lease, err := table.Acquire(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer lease.Release()
	fmt.Println(table.Contains(addr), lease.Name())
	// Output: true example.com
}

func ExampleConfig() {
	_, err := mapping.New(mapping.Config{IPv4: netip.MustParsePrefix("127.0.0.0/8")})
	fmt.Println(err)
	// Output: mapping: 127.0.0.0/8 overlaps loopback addresses (127.0.0.0/8)
}

func ExampleTable() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	// An IPv4-only application reaches an IPv6 destination: its address is a name like any other.
	addr, err := table.Assign("ip4", "2001:db8::1")
	if err != nil {
		log.Fatal(err)
	}
	name, ok := table.Name(addr)
	fmt.Println(addr.Is4(), name, ok)
	// Output: true 2001:db8::1 true
}

func ExampleTable_WriteTo() {
	before, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := before.Assign("ip4", "example.com")
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := before.WriteTo(&file); err != nil {
		log.Fatal(err)
	}

	after, err := mapping.Read(&file, mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(after.Name(addr))
	// Output: example.com true
}

func ExampleEntry() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	lease, err := table.AcquireName("ip6", "example.com")
	if err != nil {
		log.Fatal(err)
	}
	for e := range table.All() {
		fmt.Println(e.Name, e.Leases, e.IPv6 == lease.Addr(), e.Assigned.IsZero())
	}
	lease.Release()
	// Output: example.com 1 true true
}

func ExampleLease() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	lease, err := table.AcquireName("ip4", "example.com")
	if err != nil {
		log.Fatal(err)
	}
	table.Flush()
	fmt.Println(table.Name(lease.Addr())) // pinned
	lease.Release()
	table.Flush()
	_, err = table.Acquire(lease.Addr())
	fmt.Println(errors.Is(err, mapping.ErrStale))
	// Output:
	// example.com true
	// true
}

func ExampleStats() {
	table, err := mapping.New(mapping.Config{Size: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"a.example", "b.example"} {
		lease, err := table.AcquireName("ip4", name)
		if err != nil {
			log.Fatal(err)
		}
		lease.Release()
	}
	fmt.Printf("%+v\n", table.Stats())
	// Output: {Names:1 Assigned:2 Evicted:1 Stale:0 Full:0}
}
