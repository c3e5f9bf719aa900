package main

import (
	"fmt"
	"io"
	"net/netip"
	"sync"

	"github.com/sockslib/sockslib/socks/sockstest"
)

// narrator prints the events in aligned columns, and counts failed checks. It is safe for concurrent use: the
// gateway's hooks call it from other goroutines.
type narrator struct {
	mu      sync.Mutex
	out     io.Writer
	passed  int
	failed  int
	request sockstest.Request // the last one
}

func (n *narrator) intro(server netip.Addr) {
	family := "IPv6"
	if server.Is4() {
		fmt.Fprintln(n.out, "This machine has no IPv6: the servers below use IPv4 instead.")
		family = "IPv4"
	}
	fmt.Fprintf(n.out, `RFC 3089 in one process:  application  →  SOCKS Lib  →  gateway  →  server
The application asks for IPv4 alone. The servers listen on %s, %s alone,
and their names are in the gateway's host table, not in any DNS.
`, server, family)
}

func (n *narrator) title(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, "\n%s\n", text)
}

func (n *narrator) step(what, format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.line(what, format, args...)
}

func (n *narrator) line(what, format string, args ...any) {
	fmt.Fprintf(n.out, "  %-18s %s\n", what, fmt.Sprintf(format, args...))
}

// check counts and reports a printed claim that does not hold.
func (n *narrator) check(ok bool, format string, args ...any) {
	if !ok {
		n.wrong(format, args...)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.passed++
}

func (n *narrator) wrong(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed++
	n.line("NOT SO", format, args...)
}

// requested prints a request to the gateway.
func (n *narrator) requested(r sockstest.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.request = r
	n.line("SOCKS request", "%s %s", r.Command, r.Address)
}

// replied prints the outcome of a request, just before the gateway replies.
func (n *narrator) replied(r sockstest.Request, o sockstest.Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := netip.ParseAddrPort(r.Address); err != nil && o.Remote != nil {
		n.line("gateway resolved", "%s → %s", r.Address, o.Remote)
	}
	if o.Reply != 0 {
		n.line("reply", "%v", o.Reply)
		return
	}
	n.line("reply", "granted, bound to %s", o.Bound)
}

// asked returns the last request.
func (n *narrator) asked() sockstest.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.request
}

func (n *narrator) summary() {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.out, "\n%d of %d checks hold.\n", n.passed, n.passed+n.failed)
}
