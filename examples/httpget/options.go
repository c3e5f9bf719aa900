package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/sockslib/sockslib/dialer"
)

type options struct {
	dialer  *dialer.Dialer
	method  string
	url     *url.URL
	network string // "tcp", "tcp4" or "tcp6"
	timeout time.Duration
	fail    bool
	verbose bool
}

// parse reads the command line. Its errors do not contain the gateway or the URL, which may have credentials.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{method: http.MethodGet, network: "tcp"}
	var gateway string
	var head, v4, v6 bool
	flags := flag.NewFlagSet("httpget", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: httpget [flags] URL")
		flags.PrintDefaults()
	}
	flags.StringVar(&gateway, "gateway", "", "`URL` of the gateway: socks5://[user[:password]@]host[:port]; empty: the one in ALL_PROXY")
	flags.BoolVar(&head, "I", false, "get the headers alone")
	flags.BoolVar(&v4, "4", false, "stand an IPv4 address for the name")
	flags.BoolVar(&v6, "6", false, "stand an IPv6 address for the name")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "most `time` for all of it; 0: none")
	flags.BoolVar(&o.fail, "f", false, "fail, and write nothing, when the HTTP status is 400 or above")
	flags.BoolVar(&o.verbose, "v", false, "tell each step on standard error")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, usage(errors.New("see the usage")) // Parse has printed the reason
	}
	switch {
	case v4 && v6:
		return o, usage(errors.New("-4 and -6 are one or the other"))
	case v4:
		o.network = "tcp4"
	case v6:
		o.network = "tcp6"
	}
	if head {
		o.method = http.MethodHead
	}
	if flags.NArg() != 1 {
		return o, usage(fmt.Errorf("want one URL behind the flags, have %d", flags.NArg()))
	}
	var err error
	if o.url, err = parseURL(flags.Arg(0)); err != nil {
		return o, usage(err)
	}
	if o.dialer, err = dialerFor(gateway); err != nil {
		return o, usage(err)
	}
	return o, nil
}

// errMalformed is the error for a malformed URL. It does not quote the URL, which may have a password.
var errMalformed = errors.New("malformed URL")

func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errMalformed
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the URL is neither http:// nor https://")
	}
	if u.Hostname() == "" {
		return nil, errors.New("the URL has no host")
	}
	return u, nil
}

// dialerFor returns an error if there is no gateway, never a dialer that connects directly.
func dialerFor(gateway string) (*dialer.Dialer, error) {
	if gateway != "" {
		return dialer.FromURL(gateway)
	}
	if os.Getenv("ALL_PROXY") == "" && os.Getenv("all_proxy") == "" {
		return nil, errors.New("no gateway: give one by -gateway or in ALL_PROXY")
	}
	return dialer.FromEnvironment()
}
