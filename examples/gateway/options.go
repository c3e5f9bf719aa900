package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
)

type endpoint struct{ network, address string }

type options struct {
	listen  []endpoint
	users   map[string]string
	hosts   map[string][]netip.Addr
	tls     *tls.Config
	verbose bool
}

// errUsage is matched by errors about the command line.
var errUsage = errors.New("see -help")

// parse reads the flags and the environment. Its errors do not contain accounts.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{users: make(map[string]string), hosts: make(map[string][]netip.Addr)}
	v, err := o.parseFlags(args, stderr)
	if err != nil {
		return o, err
	}
	lines, err := accountsOf(v.users)
	if err != nil {
		return o, err
	}
	if err := o.addUsers(slices.Concat(strings.Split(os.Getenv("GATEWAY_USERS"), "\n"), v.accounts, lines)); err != nil {
		return o, err
	}
	if v.listen != "" {
		o.listen = append(o.listen, endpoint{"tcp", v.listen})
	}
	if v.unix != "" {
		o.listen = append(o.listen, endpoint{"unix", v.unix})
	}
	if len(o.listen) == 0 {
		return o, fmt.Errorf("neither -listen nor -unix; %w", errUsage)
	}
	if v.cert != "" || v.key != "" {
		pair, err := tls.LoadX509KeyPair(v.cert, v.key)
		if err != nil {
			return o, err
		}
		o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	return o, nil
}

// flagValues are the values of flags that are not options yet.
type flagValues struct {
	listen, unix string
	cert, key    string
	users        string   // the file of -users
	accounts     []string // of -user, not checked
}

// parseFlags reads the flags. It sets the options that need no further work, and returns the other values.
func (o *options) parseFlags(args []string, stderr io.Writer) (v flagValues, err error) {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: gateway [flags]")
		flags.PrintDefaults()
	}
	flags.StringVar(&v.listen, "listen", "127.0.0.1:1080", "`address` to listen at; empty: none")
	flags.StringVar(&v.unix, "unix", "", "`path` of a unix socket to listen at, too")
	flags.StringVar(&v.cert, "tls-cert", "", "`file` with the certificate; with -tls-key, clients must use TLS")
	flags.StringVar(&v.key, "tls-key", "", "`file` with its private key")
	flags.BoolVar(&o.verbose, "v", false, "print each request and its outcome")
	flags.StringVar(&v.users, "users", "", "`file` with a name:password in each line; also: the environment variable GATEWAY_USERS; without users, clients need no password")
	flags.Func("user", "`name:password`, may be repeated; this machine's other users can see it", func(s string) error {
		v.accounts = append(v.accounts, s) // checked later: package flag prints a value that is refused here
		return nil
	})
	flags.Func("host", "`name=addr[,addr]` that the gateway knows, may be repeated", o.addHost)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return v, err
	} else if err != nil {
		return v, errUsage // Parse has printed the reason
	}
	if flags.NArg() > 0 {
		return v, fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	}
	return v, nil
}

// accountsOf returns the lines of a file. There are none if the file's name is empty.
func accountsOf(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(text))) == 0 { // an empty file must not admit every client
		return nil, fmt.Errorf("%s has no account", file)
	}
	return strings.Split(string(text), "\n"), nil
}

// addUsers adds accounts of the form name:password. It ignores empty ones. Of several for one name, the last counts.
func (o *options) addUsers(accounts []string) error {
	for _, account := range accounts {
		account = strings.TrimSuffix(account, "\r")
		if account == "" {
			continue
		}
		name, password, ok := strings.Cut(account, ":")
		if !ok || name == "" {
			return fmt.Errorf("an account is not name:password; %w", errUsage)
		}
		o.users[name] = password
	}
	return nil
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
