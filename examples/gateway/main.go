// Gateway runs the bundled SOCKS5 gateway as a program: dual-stack, with CONNECT, BIND, UDP ASSOCIATE and
// Tor's RESOLVE. It is for trying things out, not for the open Internet.
//
//	go run ./examples/gateway -v -host www.test=127.0.0.1
//	curl -x socks5h://127.0.0.1:1080 http://www.test:8000/
//
// The name www.test exists in the gateway alone; names that no -host has are left to this machine's
// resolver. The program ends with SIGINT or SIGTERM.
package main

import (
	"context"
	"crypto/tls"
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

	"github.com/sockslib/sockslib/internal/testgw"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. It tells on stdout where it listens and, when asked to, what for.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	g := &testgw.Gateway{
		Users: o.users,
		Hosts: o.hosts,
		TLS:   o.tls,
		Lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
		Forgetful: true,
	}
	out := log.New(stdout, "", 0)
	if o.verbose {
		g.OnReply = func(r testgw.Request, o testgw.Outcome) { out.Println(line(r, o)) }
	}
	defer g.Close()
	for _, at := range o.listen {
		l, err := net.Listen(at.network, at.address)
		if err != nil {
			return err
		}
		if err := g.Serve(l); err != nil {
			return err
		}
		out.Printf("listening at %s", g.URLOf(l.Addr()))
	}
	<-ctx.Done()
	return nil
}

// line tells of an answered request in columns. The user is not among them.
func line(r testgw.Request, o testgw.Outcome) string {
	var remote string
	if o.Remote != nil {
		remote = " → " + o.Remote.String()
	}
	return strings.TrimRight(fmt.Sprintf("%5d  %-13s  %-40s  %s%s", r.Conn, r.Command, r.Target, o, remote), " ")
}

type endpoint struct{ network, address string }

type options struct {
	listen  []endpoint
	users   map[string]string
	hosts   map[string][]netip.Addr
	tls     *tls.Config
	verbose bool
}

// parse reads the flags. No error shows what -user was given.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{users: make(map[string]string), hosts: make(map[string][]netip.Addr)}
	var accounts []string
	var cert, key, listen, unix string
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&listen, "listen", "127.0.0.1:1080", "`address` to listen at; empty: none")
	flags.StringVar(&unix, "unix", "", "`path` of a unix socket to listen at, too")
	flags.StringVar(&cert, "tls-cert", "", "`file` with the certificate; with -tls-key, clients must use TLS")
	flags.StringVar(&key, "tls-key", "", "`file` with its private key")
	flags.BoolVar(&o.verbose, "v", false, "print each request and its outcome")
	flags.Func("user", "`name:password` that is let in, may be repeated; none: everybody", func(s string) error {
		accounts = append(accounts, s) // package flag would print what it is told is wrong
		return nil
	})
	flags.Func("host", "`name=addr[,addr]` that the gateway knows, may be repeated", o.addHost)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("there are flags only, not %q", flags.Arg(0))
	}
	for _, account := range accounts {
		name, password, ok := strings.Cut(account, ":")
		if !ok || name == "" {
			return o, errors.New("-user is not name:password")
		}
		o.users[name] = password
	}
	if listen != "" {
		o.listen = append(o.listen, endpoint{"tcp", listen})
	}
	if unix != "" {
		o.listen = append(o.listen, endpoint{"unix", unix})
	}
	if len(o.listen) == 0 {
		return o, errors.New("neither -listen nor -unix")
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return o, err
		}
		o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	return o, nil
}

func (o *options) addHost(s string) error {
	name, list, ok := strings.Cut(s, "=")
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !ok || name == "" {
		return errors.New("not name=addr[,addr]")
	}
	for text := range strings.SplitSeq(list, ",") {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		o.hosts[name] = append(o.hosts[name], ip)
	}
	return nil
}
