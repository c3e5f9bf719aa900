package resolver

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// NetResolver returns a [net.Resolver] that answers as r does, for APIs that want the concrete type. It
// is package net's own Go resolver, with a Dial that opens no socket. Package net still reads /etc/hosts
// first, and expands names by the search list of /etc/resolv.conf: see the package documentation for what
// becomes of names that end in one of its domains. The Lookup methods of r are many times faster, and
// expand nothing.
//
// Each result walks search lists on its own: keep one rather than making one a lookup.
func (r *Resolver) NetResolver() *net.Resolver {
	machine := &machineList{path: resolvConf}
	return r.netResolver(machine.load)
}

func (r *Resolver) netResolver(list func() *searchList) *net.Resolver {
	h := &handler{resolver: r, searches: newSearches(list), ttl: seconds(0)}
	var conns atomic.Uint64 // a connection's number is to the handler what a port is on a network
	return &net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
		a := asker{client: netip.IPv6Loopback(), from: conns.Add(1)}
		stream := strings.HasPrefix(network, "tcp")
		c := &memConn{stream: stream, reply: func(query []byte, deadline time.Time) []byte {
			if quick := h.quick(nil, query); quick != nil {
				return quick
			}
			ctx := context.Background()
			if !deadline.IsZero() {
				var cancel context.CancelFunc
				ctx, cancel = context.WithDeadline(ctx, deadline)
				defer cancel()
			}
			return h.reply(ctx, query, a, !stream)
		}}
		if stream {
			return c, nil
		}
		return memPacketConn{c}, nil
	}}
}
