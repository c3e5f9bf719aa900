package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/pod"
	"github.com/sockslib/sockslib/mapping"
)

const nameserver = "127.0.0.53"

func init() {
	tasks["walk"] = walkTask
	tasks["getent"] = getentTask
	tasks["leak"] = leakTask
	tasks["rooted"] = rootedTask
	tasks["searchroot"] = searchRootTask
}

// machineCases returns the cases of searchCases with this machine's search list.
func machineCases() []searchCase {
	list := (&machineList{path: resolvConf}).load()
	return slices.DeleteFunc(searchCases(), func(c searchCase) bool {
		return c.ndots != list.ndots || !slices.Equal(c.search, list.domains)
	})
}

// runWalks runs a task for each search list, with ndots 1 and 5, several at a time, since they mostly wait.
func runWalks(t *testing.T, task string, searches [][]string) {
	for _, search := range searches {
		for _, ndots := range []int{1, 5} {
			conf := fmt.Sprintf("nameserver %s\nsearch %s\noptions ndots:%d\n", nameserver, strings.Join(search, " "), ndots)
			t.Run(fmt.Sprintf("%s/%d", strings.Join(search, ","), ndots), func(t *testing.T) {
				t.Parallel()
				pod.Run(t, task, conf)
			})
		}
	}
}

// Package net's resolver walks the search list of a real resolv.conf, through NetResolver.
func TestPackageNetReachesEveryTypedName(t *testing.T) {
	runWalks(t, "walk", searchLists)
}

func walkTask() error {
	cases := machineCases()
	if len(cases) == 0 {
		return errors.New("no cases")
	}
	shared, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	sharing := (&Resolver{Table: shared}).NetResolver()
	for _, c := range cases {
		table, err := mapping.New(mapping.Config{})
		if err != nil {
			return err
		}
		alone := (&Resolver{Table: table}).NetResolver()
		for _, network := range []string{"ip4", "ip6", "ip"} {
			if err := checkWalk(alone, table, network, c); err != nil {
				return err
			}
			if err := checkWalk(sharing, shared, network, c); err != nil {
				return fmt.Errorf("after others: %w", err)
			}
		}
		cname, err := alone.LookupCNAME(context.Background(), c.typed)
		if err != nil || !strings.HasPrefix(cname, c.typed+".") { // the last name that package net asked for
			return fmt.Errorf("%v: canonical name %q, %v", c, cname, err)
		}
		if got := mapped(table); !slices.Equal(got, []string{c.typed}) {
			return fmt.Errorf("%v: mapped %q", c, got)
		}
	}
	if shared.Len() != len(cases) {
		return fmt.Errorf("%d names typed, mapped: %q", len(cases), mapped(shared))
	}
	return walkAtOnce(cases)
}

func checkWalk(r *net.Resolver, table *mapping.Table, network string, c searchCase) error {
	addrs, err := r.LookupNetIP(context.Background(), network, c.typed)
	if err != nil {
		return fmt.Errorf("%v %s: %w", c, network, err)
	}
	for _, addr := range addrs {
		if got, _ := table.Name(addr.Unmap()); got != c.typed {
			return fmt.Errorf("%v %s: got %v, which is %q", c, network, addr, got)
		}
	}
	return nil
}

// walkAtOnce looks up all names at once, many times. No lookup fails, and none gets the address of another name.
func walkAtOnce(cases []searchCase) error {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	r := (&Resolver{Table: table}).NetResolver()
	const rounds = 8
	results := make(chan error, rounds*len(cases))
	for range rounds {
		for _, c := range cases {
			go func() { results <- checkWalk(r, table, "ip", c) }() // ends with its lookup; waited for below
		}
	}
	for range cap(results) {
		if err := <-results; err != nil {
			return fmt.Errorf("at once: %w", err)
		}
	}
	if table.Len() != len(cases) {
		return fmt.Errorf("%d names typed at once, mapped: %q", len(cases), mapped(table))
	}
	return nil
}

// The C library's resolver walks the search list of a real resolv.conf, and asks a Server.
func TestCLibraryReachesEveryTypedName(t *testing.T) {
	need.Path(t, "getent", "libc-bin")
	runWalks(t, "getent", [][]string{searchLists[0], searchLists[4], searchLists[7]})
}

func getentTask() error {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	listening := make(chan net.Addr, 1)
	s := &Server{Resolver: &Resolver{Table: table}, Listening: func(a net.Addr) { listening <- a }}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe(context.Background(), net.JoinHostPort(nameserver, "53")) }() // ends with the process
	select {
	case <-listening:
	case err := <-ended:
		return err
	}
	cases := machineCases()
	if len(cases) == 0 {
		return errors.New("no cases")
	}
	for _, c := range cases {
		for _, database := range []string{"ahosts", "hosts"} {
			out, err := exec.Command("getent", database, c.typed).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%v: getent %s: %w: %s", c, database, err, out)
			}
			for line := range strings.Lines(string(out)) {
				addr, err := netip.ParseAddr(strings.Fields(line)[0])
				if err != nil {
					return err
				}
				if got, _ := table.Name(addr.Unmap()); got != c.typed {
					return fmt.Errorf("%v: getent %s got %v, which is %q", c, database, addr, got)
				}
			}
		}
	}
	if table.Len() != len(cases) {
		return fmt.Errorf("%d names typed, mapped: %q", len(cases), mapped(table))
	}
	return nil
}

// The nameserver of resolv.conf is a recording DNS server. Only lookups of Direct names reach it.
func TestNoLookupReachesTheSystemsResolver(t *testing.T) {
	pod.Run(t, "leak", "nameserver "+nameserver+"\nsearch corp.example\noptions timeout:1 attempts:1\n")
}

// record starts a DNS server at the nameserver of resolv.conf that denies all names. asked returns the names that it was
// asked for so far.
func record() (asked func() []string, err error) {
	var mu sync.Mutex
	var recorded []string
	recorder := &dns.Server{Addr: net.JoinHostPort(nameserver, "53"), Net: "udp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		mu.Lock()
		recorded = append(recorded, m.Question[0].Name)
		mu.Unlock()
		w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeNameError))
	})}
	started := make(chan struct{})
	recorder.NotifyStartedFunc = func() { close(started) }
	go recorder.ListenAndServe() // ends with the process
	select {
	case <-started:
	case <-time.After(10 * time.Second):
		return nil, errors.New("no recorder")
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(recorded)
	}, nil
}

func leakTask() error {
	asked, err := record()
	if err != nil {
		return err
	}

	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for _, r := range []*Resolver{{Table: table}, {}, {Table: table, Verify: true}, {Table: table, Upstream: &Upstream{Addr: "dns.example:53"}}} {
		for _, methods := range []lookups{r, r.NetResolver()} {
			every(methods, func(_ string, lookup func(context.Context, string) error) {
				for _, name := range []string{"db", "db.corp.example", "www.example.com", "x.onion", "db.localhost", "a b"} {
					lookup(ctx, name)
				}
			})
			methods.LookupAddr(ctx, "240.0.0.1")
			methods.LookupAddr(ctx, "192.0.2.1")
			methods.LookupPort(ctx, "tcp", "https")
		}
	}
	if names := asked(); len(names) > 0 {
		return fmt.Errorf("the system's resolver was asked for %q", names)
	}
	net.DefaultResolver.LookupHost(ctx, "control.example") // shows that the recorder records
	if names := asked(); !slices.Contains(names, "control.example.") {
		return fmt.Errorf("the recorder has missed the control: %q", names)
	}
	if err := checkDirectName(table); err != nil {
		return err
	}
	if names := asked(); !slices.Contains(names, "direct.example.") {
		return fmt.Errorf("the system's resolver was not asked for a Direct name: %q", names)
	}
	return nil
}

// checkDirectName looks up a Direct name while net.DefaultResolver is the Resolver's NetResolver. The recorder is asked, and
// answers that there is no such host.
func checkDirectName(table *mapping.Table) error {
	r := &Resolver{Table: table, Direct: func(name string) bool { return name == "direct.example" }}
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = r.NetResolver()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", "direct.example."); !isNotFound(err) {
		return fmt.Errorf("a Direct name: %w", err)
	}
	if _, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", "other.example."); err != nil {
		return fmt.Errorf("a name that is not Direct: %w", err)
	}
	return nil
}

// System expands no Direct name that has a trailing dot, and no question that is an expansion already.
func TestRootedDirectNameIsNotExpanded(t *testing.T) {
	pod.Run(t, "rooted", "nameserver "+nameserver+"\nsearch corp.example\noptions ndots:5 timeout:1 attempts:1\n")
}

func rootedTask() error {
	asked, err := record()
	if err != nil {
		return err
	}
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	r := &Resolver{Table: table, Direct: func(string) bool { return true }, System: &net.Resolver{PreferGo: true}}
	h := &handler{resolver: r, list: (&machineList{path: resolvConf}).load, ttl: 1}
	question := func(name string) {
		packed, _ := newQuery(name, dns.TypeA).Pack()
		h.begin(packed, true).complete(ctx)
	}
	seen := 0
	for _, c := range []struct {
		what   string
		lookup func()
		want   []string // sorted
	}{
		{"LookupNetIP", func() { r.LookupNetIP(ctx, "ip4", "DB.example.") }, []string{"db.example."}},
		{"LookupIP", func() { r.LookupIP(ctx, "ip4", "db。example。") }, []string{"db.example."}},
		{"LookupNetIP without a dot", func() { r.LookupNetIP(ctx, "ip4", "db.example") }, []string{"db.example.", "db.example.corp.example."}},
		{"an expansion", func() { question("db.corp.example.") }, []string{"db.corp.example."}},
		{"no expansion", func() { question("db.") }, []string{"db.", "db.corp.example."}},
	} {
		c.lookup()
		names := asked()
		got := slices.Compact(slices.Sorted(slices.Values(names[seen:])))
		seen = len(names)
		if !slices.Equal(got, c.want) {
			return fmt.Errorf("%s: the system's resolver was asked for %q, want %q", c.what, got, c.want)
		}
	}
	return nil
}

// With "search ." a Server's clients have no search list, whatever this machine's name is.
func TestServerTakesTheSearchDomainRootForAnEmptyList(t *testing.T) {
	pod.Run(t, "searchroot", "nameserver "+nameserver+"\nsearch .\n")
}

func searchRootTask() error {
	runtime.LockOSThread() // the host name is the thread's
	if err := syscall.Unshare(syscall.CLONE_NEWUTS); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte("vm.own.test")); err != nil {
		return err
	}
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	for ndots := range 2 { // with Ndots set, the domains come from the file too
		s := &Server{Resolver: &Resolver{Table: table}, Ndots: ndots}
		if err := s.init(); err != nil {
			return err
		}
		if domains := s.handler.list().domains; len(domains) > 0 {
			return fmt.Errorf("the Server's search list is %q", domains)
		}
	}
	if domains := (&machineList{path: resolvConf}).load().domains; !slices.Equal(domains, []string{"own.test"}) {
		return fmt.Errorf("package net's search list is taken for %q", domains)
	}
	return nil
}
