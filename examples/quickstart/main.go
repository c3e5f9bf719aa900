// Quickstart shows the procedure of RFC 3089, section 3, step by step: an application that uses only IPv4 reaches
// servers that have only IPv6, by names that only the gateway knows.
//
//	go run ./examples/quickstart
//
// It starts the bundled gateway and the servers on loopback, prints each step, and checks the results. If a check
// fails, it prints the failure and exits with status 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// The names exist only in the gateway's host table.
const (
	webName  = "www.quickstart.test"
	echoName = "echo.quickstart.test"
	ftpName  = "files.quickstart.test"
)

func main() {
	switch err := parse(os.Args[1:], os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(2)
	}
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

// parse accepts only -help.
func parse(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprintln(stderr, "usage: quickstart") }
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errors.New("see -help") // Parse has printed the reason
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	return nil
}

// world is the setting of the demonstration: node G, node D, and the SOCKS Lib of the application.
type world struct {
	*narrator
	gateway  *sockstest.Server
	serverIP netip.Addr // node D's address
	dialer   *dialer.Dialer
	resolver *resolver.Resolver
}

func run(ctx context.Context, n *narrator) error {
	queries := forbidDNS()
	ip := serverIP()
	n.intro(ip)

	g := &sockstest.Server{
		Hosts:     map[string][]netip.Addr{webName: {ip}, echoName: {ip}, ftpName: {ip}},
		OnRequest: n.requested,
		OnReply:   n.replied,
	}
	g.Start()
	defer g.Close()

	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	client, err := socks.ParseURL(g.URL)
	if err != nil {
		return err
	}
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

// serverIP returns the IPv6 loopback address, or the IPv4 one on a machine without IPv6.
func serverIP() netip.Addr {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l.Close()
	return netip.IPv6Loopback()
}

// forbidDNS makes each lookup by net.DefaultResolver fail, and returns the number of lookups.
func forbidDNS() *atomic.Int64 {
	queries := new(atomic.Int64)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		queries.Add(1)
		return nil, fmt.Errorf("no DNS here")
	}}
	return queries
}
