//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// options are the settings of a run. The exported fields are sent to the supervisor.
type options struct {
	Gateways []string // URLs, in order of preference
	Via      []string // URLs of the gateways before them in a chain, the nearest first
	Direct   string   // rules as in NO_PROXY
	Host     []uint16
	Publish  []uint16
	By       string
	Timeout  time.Duration
	Verbose  bool
	LogFile  string

	check, version bool
	direct         bool // -direct was given, even if empty
	program        []string
}

// The values of -by.
const (
	byAuto      = "auto"
	byNamespace = "namespace"
	bySeccomp   = "seccomp"
)

const usage = `usage: socksify [flags] [--] PROGRAM [ARG…]

Runs a program and its child processes so that every name and connection goes through a SOCKS5 gateway, by default
the one in ALL_PROXY. Exit codes: the program's own; 125: socksify failed; 126: the program cannot be
executed; 127: there is no such program.

`

// parse parses and checks the command line. It prints help to out.
func parse(args []string, out io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("socksify", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Func("gateway", "`URL` of the gateway: socks5, socks5h, socks5s (TLS) or socks5+unix; repeated: several, in order of preference. Arguments are public: with a password, use ALL_PROXY or -gateway-file", into(&o.Gateways, verbatim))
	f.Func("gateway-file", "`FILE` with the URL of a gateway per line", o.addGatewayFile)
	f.Func("via", "`URL` of a gateway before the gateway; repeated: a chain, the nearest first", into(&o.Via, verbatim))
	f.Func("direct", "`LIST` of destinations to dial without the gateway, by the rules of NO_PROXY (default: NO_PROXY); empty: none", func(s string) error {
		o.Direct, o.direct = s, true
		return nil
	})
	f.Func("host", "TCP `PORT`: the program's 127.0.0.1:PORT is this machine's; repeatable; namespace only", into(&o.Host, port))
	f.Func("publish", "TCP `PORT`: this machine's 127.0.0.1:PORT is the program's; repeatable; namespace only", into(&o.Publish, port))
	f.StringVar(&o.By, "by", byAuto, "`WAY` to route the program's network: namespace, seccomp, or auto, which tries them in this order")
	f.DurationVar(&o.Timeout, "timeout", 0, "maximum time to make a connection; 0: the library's bound, two minutes")
	f.BoolVar(&o.Verbose, "v", false, "print a line per connection to standard error")
	f.StringVar(&o.LogFile, "log", "", "append a line per connection to `FILE`")
	f.BoolVar(&o.check, "check", false, "print which ways work on this machine and why others do not, send a request to the gateway, and run no program")
	f.BoolVar(&o.version, "version", false, "print the version")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		f.SetOutput(out)
		f.PrintDefaults()
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	o.program = f.Args()
	return o, o.validate()
}

func (o *options) validate() error {
	switch o.By {
	case byAuto, byNamespace, bySeccomp:
	default:
		return fmt.Errorf("-by %s: want namespace, seccomp or auto", strconv.Quote(o.By))
	}
	for _, u := range slices.Concat(o.Gateways, o.Via) {
		if _, err := socks.ParseURL(u); err != nil {
			return err
		}
	}
	if o.Timeout < 0 {
		return errors.New("-timeout: negative")
	}
	if len(o.program) == 0 && !o.check && !o.version {
		return errors.New("no program; see -help")
	}
	return nil
}

// complete sets the gateway and the direct rules from the environment, unless flags have set them.
func (o *options) complete() error {
	if len(o.Gateways) == 0 {
		u := firstEnv("ALL_PROXY", "all_proxy")
		if u == "" {
			return errors.New("no gateway: set ALL_PROXY, or give -gateway or -gateway-file")
		}
		if _, err := socks.ParseURL(u); err != nil {
			return fmt.Errorf("ALL_PROXY: %w", err)
		}
		o.Gateways = []string{u}
	}
	if !o.direct {
		o.Direct = firstEnv("NO_PROXY", "no_proxy")
	}
	return nil
}

// into returns the func of a flag that converts its value and appends it to list.
func into[T any](list *[]T, convert func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := convert(s)
		if err == nil {
			*list = append(*list, v)
		}
		return err
	}
}

// verbatim returns s. It does not check the URL, because package flag's errors would quote the password; validate
// does.
func verbatim(s string) (string, error) { return s, nil }

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("want a port, 1 to 65535")
	}
	return uint16(n), nil
}

// addGatewayFile adds the gateways in a file with one URL per line. It skips empty lines and lines that begin with
// #.
func (o *options) addGatewayFile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before := len(o.Gateways)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		o.Gateways = append(o.Gateways, line)
	}
	if len(o.Gateways) == before {
		return errors.New("no gateway in it")
	}
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
