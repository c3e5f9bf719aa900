// Dnsserver runs the resolver's DNS server: every name gets an address of the reserved space, and no name is looked up on
// this machine.
//
//	go run ./examples/dnsserver -search ""
//	dig @127.0.0.1 -p 1053 db.example +short && dig @127.0.0.1 -p 1053 -x 240.0.0.1 +short
//
// With -gateway and -upstream, a DNS server behind the gateway answers questions for other records than addresses. With
// -verify, that server is also asked whether a name exists:
//
//	go run ./examples/dnsserver -gateway socks5://127.0.0.1:1080 -upstream 9.9.9.9:853 -tls -verify
//
// On SIGINT or SIGTERM the program answers the queries that it has read, and ends.
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
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "dnsserver:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "dnsserver:", err)
		os.Exit(1)
	}
}

// errUsage is wrapped by the errors of wrong flags and arguments.
var errUsage = errors.New("see -help")

// run serves until ctx is done. It prints the address that it listens on to stdout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	listen, server, err := parse(args, stderr)
	if err != nil {
		return err
	}
	server.Listening = func(addr net.Addr) { fmt.Fprintf(stdout, "listening on %v, UDP and TCP\n", addr) }
	server.ErrorLog = log.New(stderr, "dnsserver: ", 0)
	switch err := server.ListenAndServe(ctx, listen); {
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil && strings.Contains(err.Error(), "in use"):
		return fmt.Errorf("%w; choose another with -listen", err)
	default:
		return err
	}
}

// parse returns the address and the Server that the flags describe.
func parse(args []string, stderr io.Writer) (listen string, server *resolver.Server, err error) {
	flags := flag.NewFlagSet("dnsserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var (
		gateway, upstream string
		secure, verify    bool
		ttl               time.Duration
		ndots             int
		search            []string
	)
	flags.StringVar(&listen, "listen", "127.0.0.1:1053", "`address` to listen on, UDP and TCP")
	flags.DurationVar(&ttl, "ttl", time.Second, "how long clients may keep an answer")
	flags.Func("search", "the clients' search `domains`, with commas between; \"\" for none (default: this machine's)", func(list string) error {
		search = strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
		return nil
	})
	flags.IntVar(&ndots, "ndots", 0, "the clients' ndots option (default: this machine's)")
	flags.StringVar(&gateway, "gateway", "", "SOCKS5 gateway to upstream, as a `URL`")
	flags.StringVar(&upstream, "upstream", "", "DNS server, as `host:port` that the gateway reaches")
	flags.BoolVar(&secure, "tls", false, "speak DNS over TLS with upstream")
	flags.BoolVar(&verify, "verify", false, "ask upstream whether a name exists")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: dnsserver [flags]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return "", nil, err
	} else if err != nil {
		return "", nil, errUsage // Parse has printed the reason
	}
	switch {
	case flags.NArg() > 0:
		return "", nil, fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	case (gateway == "") != (upstream == ""):
		return "", nil, fmt.Errorf("-gateway and -upstream need each other; %w", errUsage)
	case (secure || verify) && upstream == "":
		return "", nil, fmt.Errorf("-tls and -verify need -upstream; %w", errUsage)
	}
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return "", nil, err
	}
	r := &resolver.Resolver{Table: table, Verify: verify}
	if gateway != "" {
		if r.Upstream, err = newUpstream(gateway, upstream, secure); err != nil {
			return "", nil, err
		}
	}
	return listen, &resolver.Server{Resolver: r, TTL: ttl, Search: search, Ndots: ndots}, nil
}

// newUpstream returns the DNS server at addr behind the gateway with the given URL. secure means DNS over TLS.
func newUpstream(gateway, addr string, secure bool) (*resolver.Upstream, error) {
	d, err := dialer.FromURL(gateway)
	if err != nil {
		return nil, err
	}
	u := &resolver.Upstream{Addr: addr, Dial: d.DialContext}
	if secure {
		u.TLS = new(tls.Config)
	}
	return u, nil
}
