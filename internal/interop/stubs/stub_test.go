package stubs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// stubs are the clients, by kind. Each sends the results of its lookups, and closes the channel.
var stubs = map[string]func(l list, table *mapping.Table) <-chan result{
	// 300 goroutines, each with a resolver that reads resolv.conf and asks over UDP.
	"net": func(l list, _ *mapping.Table) <-chan result {
		return goroutines(l, func() *net.Resolver { return &net.Resolver{PreferGo: true} })
	},
	// The same with one NetResolver for all.
	"NetResolver": func(l list, table *mapping.Table) <-chan result {
		r := (&resolver.Resolver{Table: table}).NetResolver()
		return goroutines(l, func() *net.Resolver { return r })
	},
	// 300 processes that look up one name each, as many at a time as there are names.
	"glibc": func(l list, _ *mapping.Table) <-chan result {
		return processes(l, len(l.typed), true, func(n int) []string {
			return []string{"getent", "ahosts", l.typed[n%len(l.typed)]}
		})
	},
	// 300 processes that look up all names, 50 at a time.
	"musl": func(l list, _ *mapping.Table) <-chan result {
		return processes(l, 50, false, func(n int) []string {
			return append([]string{os.Getenv(muslVariable)}, turned(l.typed, n)...)
		})
	},
}

// turned returns the names in an order that begins with another one for each client.
func turned(names []string, n int) []string {
	n %= len(names)
	return append(append([]string{}, names[n:]...), names[:n]...)
}

func goroutines(l list, newResolver func() *net.Resolver) <-chan result {
	results := make(chan result)
	atOnce := clients
	if os.Getenv(frontVariable) == "dnsmasq" {
		atOnce = 100 // lookups of two datagrams each: the buffer of dnsmasq's socket holds no more
	}
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for n := range clients {
		r := newResolver()
		wg.Go(func() { // ends with its lookups; waited for below
			for _, name := range turned(l.typed, n) {
				slots <- struct{}{}
				addrs, err := r.LookupNetIP(context.Background(), "ip", name)
				<-slots
				var e *net.DNSError
				if errors.As(err, &e) && e.IsNotFound {
					err = nil
				}
				results <- result{name, addrs, err, true}
			}
		})
	}
	go func() { // ends with the last lookup
		wg.Wait()
		close(results)
	}()
	return results
}

// processes runs a command for each client, several at a time.
func processes(l list, atOnce int, walks bool, command func(n int) []string) <-chan result {
	results := make(chan result)
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	go func() { // ends with the last process
		for n := range clients {
			slots <- struct{}{}
			wg.Go(func() { // ends with its process; waited for below
				defer func() { <-slots }()
				args := command(n)
				out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
				if args[0] == "getent" {
					results <- parseGetent(args[2], string(out), err)
					return
				}
				if err != nil {
					results <- result{typed: args[1], err: fmt.Errorf("%w: %s", err, out)}
				}
				for _, r := range parseLookup(string(out)) {
					results <- r
				}
			})
		}
		wg.Wait()
		close(results)
	}()
	return results
}

// parseGetent parses "address STREAM name" lines. Exit code 2 means that there is no such host.
func parseGetent(typed, out string, err error) result {
	r := result{typed: typed, walks: true}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 2 {
		return r
	}
	if r.err = err; err != nil {
		return r
	}
	for line := range strings.Lines(out) {
		a, err := netip.ParseAddr(strings.Fields(line)[0])
		if err != nil {
			r.err = err
		}
		r.addrs = append(r.addrs, a)
	}
	return r
}

// parseLookup parses the output of testdata/lookup.c.
func parseLookup(out string) (all []result) {
	for line := range strings.Lines(out) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		r := result{typed: name}
		if what != "-" {
			a, err := netip.ParseAddr(what)
			if err != nil {
				r.err = errors.New(what)
			} else {
				r.addrs = []netip.Addr{a}
			}
		}
		all = append(all, r)
	}
	return all
}
