// Status shows a live page about a running program: its mapping table, its open connections, its gateways and its
// dial times.
//
//	go run ./examples/status
//
// The page is about this program itself: it starts three bundled gateways and some servers on loopback, and makes
// traffic for names that only the gateways know. One of the gateways fails from time to time, and some names do
// not exist. The program prints the URL of the page; other programs serve the page with package dialer/status.
// SIGINT, SIGTERM, or -duration ends the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "status:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "status:", err)
		os.Exit(1)
	}
}

// errUsage is matched by errors about the command line.
var errUsage = errors.New("see -help")

// run serves until ctx is done. It prints the URL.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	if err := o.parse(args, stderr); err != nil {
		return err
	}
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	l, err := net.Listen("tcp", o.listen)
	if err != nil && strings.Contains(err.Error(), "in use") {
		return fmt.Errorf("%w; choose another with -listen", err)
	}
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	w.page.Hosts = append(o.hosts, host)
	fmt.Fprintf(stdout, "the status page is at http://%s/\n", net.JoinHostPort(host, port))

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { w.traffic(ctx, o.rate) }) // run's; ends with ctx
	server := &http.Server{
		Handler:           w.page,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends the streams of events
		ReadHeaderTimeout: 10 * time.Second,
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type options struct {
	listen   string
	hosts    []string
	rate     float64
	duration time.Duration
}

// maxRate is the maximum rate of dials, per second. The demonstration is not a load test.
const maxRate = 100

func (o *options) parse(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:3089", "`address` of the page")
	flags.Func("host", "`name` or address by which the page may be reached beside loopback ones, may be repeated", func(s string) error {
		o.hosts = append(o.hosts, strings.ToLower(s))
		return nil
	})
	flags.Float64Var(&o.rate, "rate", 4, fmt.Sprintf("dials per second, at most %d", maxRate))
	flags.DurationVar(&o.duration, "duration", 0, "ends after that `time`; zero: not by itself")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: status [flags]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage // Parse has printed the reason
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	case !(o.rate > 0 && o.rate <= maxRate):
		return fmt.Errorf("-rate is not between 0 and %d; %w", maxRate, errUsage)
	}
	return nil
}
