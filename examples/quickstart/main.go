// Quickstart shows the procedure of RFC 3089, section 3, step by step: an application that asks for IPv4
// alone reaches servers that have IPv6 alone, by names that nobody but the gateway knows.
//
//	go run ./examples/quickstart
//
// It starts the bundled gateway and the servers itself, on loopback, prints each step as it happens, and
// checks what it prints: when anything is not so, it says what and exits with status 1.
package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks"
)

// The names exist in the gateway's host table and nowhere else.
const (
	webName  = "www.quickstart.test"
	echoName = "echo.quickstart.test"
	ftpName  = "files.quickstart.test"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	n := &narrator{out: os.Stdout}
	if err := run(ctx, n); err != nil {
		n.wrong("%v", err)
	}
	if n.failed > 0 {
		os.Exit(1)
	}
}

// world is what the demonstration runs in: node G, node D, and the SOCKS Lib of the application.
type world struct {
	*narrator
	gateway  *testgw.Gateway
	serverIP netip.Addr // node D's
	dialer   *dialer.Dialer
	resolver *resolver.Resolver
}

func run(ctx context.Context, n *narrator) error {
	queries := forbidDNS()
	ip := serverIP()
	n.intro(ip)

	g := &testgw.Gateway{
		Hosts:     map[string][]netip.Addr{webName: {ip}, echoName: {ip}, ftpName: {ip}},
		OnRequest: n.requested,
		OnReply:   n.replied,
	}
	if err := g.Start("tcp4", "127.0.0.1:0"); err != nil {
		return err
	}
	defer g.Close()

	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	client := &socks.Client{Addr: g.Addr().String()}
	defer client.Close()
	w := &world{
		narrator: n,
		gateway:  g,
		serverIP: ip,
		dialer:   &dialer.Dialer{Gateway: client, Table: table},
		resolver: &resolver.Resolver{Table: table},
	}

	for _, show := range []func(context.Context) error{w.transport, w.lookupAndDial, w.udp, w.bind} {
		if err := show(ctx); err != nil {
			return err
		}
	}
	n.title("Names that reached this machine's own DNS")
	n.step("queries", "%d", queries.Load())
	n.check(queries.Load() == 0, "a name leaked")
	n.summary()
	return nil
}

// serverIP is IPv6's loopback address, or IPv4's on a machine without IPv6.
func serverIP() netip.Addr {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l.Close()
	return netip.IPv6Loopback()
}

// forbidDNS makes every use of the process's own resolver fail, and counts them.
func forbidDNS() *atomic.Int64 {
	queries := new(atomic.Int64)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		queries.Add(1)
		return nil, fmt.Errorf("no DNS here")
	}}
	return queries
}
