package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/mapping"
)

// The tests here run the test binary again, in mount and network namespaces where /etc/resolv.conf is a
// file of the test's and nothing but loopback exists.

const (
	confVariable = "RESOLVER_TEST_CONF"
	nameserver   = "127.0.0.53"
)

func init() {
	tasks["walk"] = inNamespace(walkTask)
	tasks["getent"] = inNamespace(getentTask)
	tasks["leak"] = inNamespace(leakTask)
}

// runNamespaced runs a task where resolv.conf is the given one.
func runNamespaced(t *testing.T, task, conf string) {
	need.All(t, need.Namespaces())
	file := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o644))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), taskVariable+"="+task, confVariable+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if why, ok := strings.CutPrefix(string(out), lacking); ok && errors.As(err, &exit) {
		need.All(t, errors.New(why))
	}
	require.NoError(t, err, string(out))
}

// lacking begins what a task says that cannot begin.
const lacking = "lacking "

// inNamespace puts the file over /etc/resolv.conf and brings loopback up before a task.
func inNamespace(task func() error) func() error {
	return func() error {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf(lacking+"the right to mount: %w", err)
		}
		if err := syscall.Mount(os.Getenv(confVariable), resolvConf, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf(lacking+"%s, to mount over it: %w", resolvConf, err)
		}
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("bringing loopback up: %w", err)
		}
		return task()
	}
}

func loopbackUp() error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{name: [syscall.IFNAMSIZ]byte{'l', 'o'}, flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}

// machineCases are the cases whose configuration is this machine's, and of each the name typed.
func machineCases() []searchCase {
	list := readSearchList(resolvConf)
	return slices.DeleteFunc(searchCases(), func(c searchCase) bool {
		return c.ndots != list.ndots || !slices.Equal(c.search, list.domains)
	})
}

// runWalks runs a task for each search list, with ndots 1 and 5, several at a time: they mostly wait.
func runWalks(t *testing.T, task string, searches [][]string) {
	for _, search := range searches {
		for _, ndots := range []int{1, 5} {
			conf := fmt.Sprintf("nameserver %s\nsearch %s\noptions ndots:%d\n", nameserver, strings.Join(search, " "), ndots)
			t.Run(fmt.Sprintf("%s/%d", strings.Join(search, ","), ndots), func(t *testing.T) {
				t.Parallel()
				runNamespaced(t, task, conf)
			})
		}
	}
}

// Package net's own resolver walks the list of a real resolv.conf.
func TestSearchListsNetResolver(t *testing.T) {
	runWalks(t, "walk", searchLists)
}

func walkTask() error {
	cases := machineCases()
	if len(cases) == 0 {
		return errors.New("no cases")
	}
	together, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	inARow := (&Resolver{Table: together}).NetResolver()
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
			if err := checkWalk(inARow, together, network, c); err != nil {
				return fmt.Errorf("after others: %w", err)
			}
		}
		cname, err := alone.LookupCNAME(context.Background(), c.typed)
		if err != nil || cname != c.typed+"." {
			return fmt.Errorf("%v: canonical name %q, %v", c, cname, err)
		}
		if got := mapped(table); !slices.Equal(got, []string{c.typed}) {
			return fmt.Errorf("%v: mapped %q", c, got)
		}
	}
	if together.Len() != len(cases) {
		return fmt.Errorf("%d names typed, mapped: %q", len(cases), mapped(together))
	}
	return walkAtOnce(cases[0])
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

// walkAtOnce looks up names at once of which one is the other's expansion, again and again, and until enough are
// found: a contest that is lost makes both a temporary error for a while.
func walkAtOnce(c searchCase) error {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	r := (&Resolver{Table: table}).NetResolver()
	const rounds, enough, patience = 16, 24, 30 * time.Second
	answered, begun := 0, time.Now()
	for round := 0; round < rounds || answered < enough; round++ {
		if time.Since(begun) > patience {
			return fmt.Errorf("at once: %d lookups answered in %v", answered, patience)
		}
		results := make(chan error, 2)
		for _, typed := range []string{"db", "db." + c.search[0]} {
			c := c
			c.typed = typed
			go func() { results <- checkWalk(r, table, "ip", c) }() // ends with its lookup; waited for below
		}
		for range cap(results) {
			err := <-results
			if e := (*net.DNSError)(nil); errors.As(err, &e) {
				continue // none is right, another's is not
			}
			if err != nil {
				return fmt.Errorf("at once: %w", err)
			}
			answered++
		}
	}
	return nil
}

// The C library's resolver walks the list against a Server.
func TestSearchListsGetent(t *testing.T) {
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

// With the process's resolver pointed at a recording DNS server, nothing here asks it anything.
func TestNothingLeaks(t *testing.T) {
	runNamespaced(t, "leak", "nameserver "+nameserver+"\nsearch corp.example\noptions timeout:1 attempts:1\n")
}

func leakTask() error {
	var mu sync.Mutex
	var asked []string
	recorder := &dns.Server{Addr: net.JoinHostPort(nameserver, "53"), Net: "udp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		mu.Lock()
		asked = append(asked, m.Question[0].Name)
		mu.Unlock()
		w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeNameError))
	})}
	started := make(chan struct{})
	recorder.NotifyStartedFunc = func() { close(started) }
	go recorder.ListenAndServe() // ends with the process
	select {
	case <-started:
	case <-time.After(10 * time.Second):
		return errors.New("no recorder")
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
	mu.Lock()
	defer mu.Unlock()
	if len(asked) > 0 {
		return fmt.Errorf("the system's resolver was asked for %q", asked)
	}
	mu.Unlock()
	net.DefaultResolver.LookupHost(ctx, "control.example") // the recorder does record
	mu.Lock()
	if !slices.Contains(asked, "control.example.") {
		return fmt.Errorf("the recorder has missed the control: %q", asked)
	}
	return nil
}
