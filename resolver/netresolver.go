package resolver

import (
	"context"
	"net"
	"strings"
)

// NetResolver returns a [net.Resolver] that answers as r does, for APIs that want the concrete type. It
// is package net's own Go resolver, with a Dial that opens no socket. Package net still reads /etc/hosts
// first, and expands names by the search list of /etc/resolv.conf: see the package documentation for what
// that means for a name with a trailing dot. The Lookup methods of r are many times faster, and expand nothing.
func (r *Resolver) NetResolver() *net.Resolver {
	machine := &machineList{path: resolvConf}
	return r.netResolver(machine.load)
}

func (r *Resolver) netResolver(list func() *searchList) *net.Resolver {
	h := &handler{resolver: r, list: list, ttl: seconds(0)}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		stream := strings.HasPrefix(network, "tcp")
		c := &memConn{ctx: ctx, stream: stream, reply: func(ctx context.Context, query []byte) []byte {
			if answer := h.quick(nil, query); answer != nil {
				return answer
			}
			x := h.begin(query, !stream)
			if x == nil {
				return nil
			}
			return x.answer(ctx)
		}}
		if stream {
			return c, nil
		}
		return memPacketConn{c}, nil
	}}
}
