// Gateway runs the bundled SOCKS5 gateway: dual-stack, with CONNECT, BIND, UDP ASSOCIATE and Tor's RESOLVE. It is
// for experiments, not for the open Internet.
//
//	go run ./examples/gateway -v -host www.test=127.0.0.1
//	curl -x socks5h://127.0.0.1:1080 http://www.test:8000/
//
// Only the gateway knows the name www.test; names without a -host are looked up by this machine's resolver. If
// users are given, clients need a password. Users come from -users, from the environment variable GATEWAY_USERS,
// and from -user, which every user of this machine can read. SIGINT or SIGTERM ends the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sockslib/sockslib/socks/sockstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. It prints the address that it listens at and, with -v, each request.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	g := &sockstest.Server{
		Users: o.users,
		Hosts: o.hosts,
		TLS:   o.tls,
		Lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
		Unrecorded: true,
	}
	out := log.New(stdout, "", 0)
	if o.verbose {
		g.OnReply = func(r sockstest.Request, o sockstest.Outcome) { out.Println(line(r, o)) }
	}
	listeners, err := o.open()
	if err != nil {
		return err
	}
	g.Listener = listeners[0]
	if o.tls != nil {
		g.StartTLS()
	} else {
		g.Start()
	}
	defer g.Close()
	urls := []string{g.URL}
	for _, l := range listeners[1:] {
		urls = append(urls, g.Serve(l))
	}
	for i, l := range listeners {
		out.Printf("listening at %s", urls[i])
		if len(o.users) == 0 && !local(l.Addr()) {
			fmt.Fprintf(stderr, "gateway: warning: clients of %s are accepted without a password; see -users\n", l.Addr())
		}
	}
	<-ctx.Done()
	return nil
}

// open listens at the addresses of the flags.
func (o *options) open() (all []net.Listener, err error) {
	for _, at := range o.listen {
		l, err := net.Listen(at.network, at.address)
		if err != nil && strings.Contains(err.Error(), "in use") {
			err = fmt.Errorf("%w; choose another with -listen or -unix", err)
		}
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// local reports whether only programs of this machine can reach an address.
func local(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return !ok || t.IP.IsLoopback()
}

// line formats an answered request in columns, without its user.
func line(r sockstest.Request, o sockstest.Outcome) string {
	result, remote := "succeeded", ""
	if o.Reply != 0 {
		result = o.Reply.Error()
	}
	if o.Remote != nil {
		remote = " → " + o.Remote.String()
	}
	return strings.TrimRight(fmt.Sprintf("%5d  %-13s  %-40s  %s%s", r.Conn, r.Command, r.Address, result, remote), " ")
}
