package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
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
	accounts := strings.Split(os.Getenv("GATEWAY_USERS"), "\n")
	var cert, key, listen, unix, users string
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: gateway [flags]")
		flags.PrintDefaults()
	}
	flags.StringVar(&listen, "listen", "127.0.0.1:1080", "`address` to listen at; empty: none")
	flags.StringVar(&unix, "unix", "", "`path` of a unix socket to listen at, too")
	flags.StringVar(&cert, "tls-cert", "", "`file` with the certificate; with -tls-key, clients must use TLS")
	flags.StringVar(&key, "tls-key", "", "`file` with its private key")
	flags.BoolVar(&o.verbose, "v", false, "print each request and its outcome")
	flags.StringVar(&users, "users", "", "`file` with a name:password in each line; also: the environment variable GATEWAY_USERS; without users, everybody is let in")
	flags.Func("user", "`name:password`, may be repeated; this machine's other users can see it", func(s string) error {
		accounts = append(accounts, s) // checked later: package flag prints a value that is refused here
		return nil
	})
	flags.Func("host", "`name=addr[,addr]` that the gateway knows, may be repeated", o.addHost)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage // Parse has printed the reason
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	}
	if users != "" {
		text, err := os.ReadFile(users)
		if err != nil {
			return o, err
		}
		if len(strings.TrimSpace(string(text))) == 0 { // an empty file must not admit every client
			return o, fmt.Errorf("%s has no account", users)
		}
		accounts = append(accounts, strings.Split(string(text), "\n")...)
	}
	if err := o.addUsers(accounts); err != nil {
		return o, err
	}
	if listen != "" {
		o.listen = append(o.listen, endpoint{"tcp", listen})
	}
	if unix != "" {
		o.listen = append(o.listen, endpoint{"unix", unix})
	}
	if len(o.listen) == 0 {
		return o, fmt.Errorf("neither -listen nor -unix; %w", errUsage)
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

// addUsers adds accounts of the form name:password. It ignores empty ones.
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
