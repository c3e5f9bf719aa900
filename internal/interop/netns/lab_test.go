//go:build linux

package netns

import (
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// lab is a network of nodes that ends with its test. No route leads out of it.
type lab struct {
	t      *testing.T
	prefix string // of its namespaces' names
	links  int
}

var labs atomic.Int64 // so far

func newLab(t *testing.T) *lab {
	return &lab{t: t, prefix: fmt.Sprintf("%s%d-%d-", ours, os.Getpid(), labs.Add(1))}
}

func (l *lab) ip(args ...string) {
	l.t.Helper()
	require.NoError(l.t, ip(args...))
}

// node makes a namespace with only the loopback addresses of its families, and starts the process in it.
func (l *lab) node(name string, f families) *node {
	l.t.Helper()
	n := &node{name: name, netns: l.prefix + name, families: f}
	l.ip("netns", "add", n.netns)
	l.t.Cleanup(func() { l.ip("netns", "del", n.netns) })
	l.ip("-n", n.netns, "link", "set", "lo", "up")
	loopback := "127.0.0.1"
	switch f {
	case v4:
		l.ip("-n", n.netns, "-6", "address", "flush", "dev", "lo")
	case v6:
		l.ip("-n", n.netns, "-4", "address", "flush", "dev", "lo")
		loopback = "::1"
	}
	n.start(l.t, loopback)
	return n
}

// link makes a network between two nodes. An end has the families that both the link and the node have.
func (l *lab) link(a, b *node, f families) (atA, atB end) {
	l.t.Helper()
	l.links++
	end := func(at, to *node, host int) end {
		e := end{device: "to-" + to.name}
		if at.families&f&v4 != 0 {
			e.v4 = netip.AddrFrom4([4]byte{192, 0, 2, byte(16*l.links + host)})
		}
		if at.families&f&v6 != 0 {
			e.v6 = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", l.links, host))
		}
		return e
	}
	atA, atB = end(a, b, 1), end(b, a, 2)
	l.ip("-n", a.netns, "link", "add", atA.device, "type", "veth", "peer", "name", atB.device, "netns", b.netns)
	l.up(a, atA)
	l.up(b, atB)
	l.address(a, atA)
	l.address(b, atB)
	return atA, atB
}

// up brings an end up, without a link-local address.
func (l *lab) up(n *node, e end) {
	l.ip("-n", n.netns, "link", "set", e.device, "addrgenmode", "none")
	l.ip("-n", n.netns, "link", "set", e.device, "up")
}

// address gives an end its addresses. nodad skips the wait for duplicates of an IPv6 address.
func (l *lab) address(n *node, e end) {
	if e.v4.IsValid() {
		l.ip("-n", n.netns, "address", "add", e.v4.String()+"/28", "dev", e.device)
	}
	if e.v6.IsValid() {
		l.ip("-n", n.netns, "address", "add", e.v6.String()+"/64", "dev", e.device, "nodad")
	}
}
