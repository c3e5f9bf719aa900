package stubs

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/pod"
	"github.com/sockslib/sockslib/mapping"
)

// list is a search list, with names that are typed where it is in use.
type list struct {
	name    string
	domains []string
	ndots   int
	typed   []string
}

var lists = []list{
	{"Kubernetes", []string{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"}, 5, []string{
		"s1", "s1.default", "s1.default.svc", "s1.default.svc.cluster.local", "s1.other.svc.cluster.local", "cluster.local",
		"s2", "s2.default.svc.cluster.local", "example.com", "www.example.com", "a.b.c.d.e.example", "a.b.c.d.e.svc.cluster.local",
		"s1.other.default.svc.cluster.local",
	}},
	{"one domain", []string{"corp.example"}, 1, []string{
		"db", "db.corp.example", "www", "www.corp.example", "corp.example", "www.example.com", "a.db.corp.example", "db.eu",
		"db.eu.corp.example", "x",
	}},
}

// conf returns a resolv.conf. A stub that loses all its attempts for a name goes on to the next as if the name did not
// exist, so there are enough attempts for a busy machine.
func (l list) conf() string {
	return fmt.Sprintf("nameserver %s\nsearch %s\noptions ndots:%d timeout:10 attempts:4\n", nameserver.Addr(), strings.Join(l.domains, " "), l.ndots)
}

// reached reports whether a stub that walks its list for short names alone, as musl does, reaches a name. The stub asks
// for the others without a search domain, so such a name is denied if it may be the expansion of a short one.
func (l list) reached(name string) bool {
	if strings.Count(name, ".") < l.ndots {
		return true
	}
	for _, d := range l.domains {
		if x, ok := strings.CutSuffix(name, "."+d); ok && strings.Count(x, ".") < l.ndots {
			return false
		}
	}
	return true
}

const (
	listVariable  = "STUBS_LIST"
	frontVariable = "STUBS_FRONT"
	stubVariable  = "STUBS_STUB"
	muslVariable  = "STUBS_MUSL"
	clients       = 300 // concurrent clients, or fewer if the front cannot serve as many
)

// 300 clients concurrently look up the same names, which their stubs expand. Each client gets the typed names'
// addresses and no error.
func TestWalksReachTheTypedNames(t *testing.T) {
	musl, noMusl := buildMusl(t)
	for i, l := range lists {
		for front, f := range fronts {
			for stub := range stubs {
				if (front == "none") != (stub == "NetResolver") {
					continue
				}
				t.Run(l.name+"/"+front+"/"+stub, func(t *testing.T) {
					t.Parallel()
					if f.cache != "" {
						_, err := need.Program(f.cache, f.debian)
						need.All(t, err, need.Root()) // root, because a cache changes its user
					}
					if stub == "musl" {
						need.All(t, noMusl)
					}
					need.All(t, need.Descriptors(1024)) // 300 clients, and their server
					pod.Run(t, "walk", l.conf(), listVariable+"="+strconv.Itoa(i), frontVariable+"="+front, stubVariable+"="+stub, muslVariable+"="+musl)
				})
			}
		}
	}
}

// buildMusl builds the program that looks names up with musl, and returns its path. The error names a missing compiler.
func buildMusl(t *testing.T) (program string, err error) {
	for _, compiler := range []struct{ program, debian string }{{"musl-gcc", "musl-tools"}, {"gcc", "gcc"}} { // a script, and what it calls
		if _, err := need.Program(compiler.program, compiler.debian); err != nil {
			return "", err
		}
	}
	program = filepath.Join(t.TempDir(), "lookup")
	out, err := exec.Command("musl-gcc", "-static", "-O1", "-o", program, filepath.Join("testdata", "lookup.c")).CombinedOutput()
	if err != nil {
		t.Fatalf("musl-gcc: %v: %s", err, out)
	}
	return program, nil
}

// walkTask runs the clients of one kind with one front.
func walkTask() error {
	i, err := strconv.Atoi(os.Getenv(listVariable))
	if err != nil {
		return err
	}
	l := lists[i]
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return err
	}
	stop, err := startFront(os.Getenv(frontVariable), table)
	if err != nil {
		return err
	}
	defer stop()
	var wrong []error
	reached := map[string]bool{}
	for result := range stubs[os.Getenv(stubVariable)](l, table) {
		if err := result.check(l, table); err != nil {
			wrong = append(wrong, err)
		}
		reached[result.typed] = true
	}
	if len(reached) != len(l.typed) {
		wrong = append(wrong, fmt.Errorf("%d of %d names looked up", len(reached), len(l.typed)))
	}
	for e := range table.All() {
		if !reached[e.Name] {
			wrong = append(wrong, fmt.Errorf("mapped: %s, which no client typed", e.Name))
		}
	}
	if len(wrong) > 10 {
		wrong = append(wrong[:10], fmt.Errorf("and %d more", len(wrong)-10))
	}
	return errors.Join(wrong...)
}

// result is the result of one lookup by one client.
type result struct {
	typed string
	addrs []netip.Addr // none: there is no such host
	err   error        // anything else
	walks bool         // the stub walks its list for names with ndots dots or more too
}

func (r result) check(l list, table *mapping.Table) error {
	switch reached := r.walks || l.reached(r.typed); {
	case r.err != nil:
		return fmt.Errorf("%s: %w", r.typed, r.err)
	case reached && len(r.addrs) == 0:
		return fmt.Errorf("%s: no such host", r.typed)
	case !reached && len(r.addrs) > 0:
		return fmt.Errorf("%s: got %v, although the stub does not walk", r.typed, r.addrs)
	}
	for _, a := range r.addrs {
		if got, _ := table.Name(a.Unmap()); got != r.typed {
			return fmt.Errorf("%s: got %v, which is %q", r.typed, a, got)
		}
	}
	return nil
}
