package resolver

import (
	"context"
	"net"
	"strings"
)

// NetResolver returns a [net.Resolver] with r's answers, for APIs that want the concrete type. It is package net's Go
// resolver with a Dial that opens no socket. Package net still reads /etc/hosts first, and expands names by the search list
// of /etc/resolv.conf; the package documentation describes, under Search lists, what that means for a name with a trailing
// dot. The Lookup methods of r are many times faster, and expand nothing.
func (r *Resolver) NetResolver() *net.Resolver {
	machine := &machineList{path: resolvConf}
	return r.netResolver(machine.load)
}

// netResolver is NetResolver with the search list as a parameter.
func (r *Resolver) netResolver(list func() *searchList) *net.Resolver {
	h := &handler{resolver: r, list: list, ttl: seconds(0)}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		stream := strings.HasPrefix(network, "tcp")
		c := &memConn{ctx: ctx, stream: stream, respond: func(ctx context.Context, query []byte) []byte {
			if response := h.fastResponse(nil, query); response != nil {
				return response
			}
			x := h.begin(query, !stream)
			if x == nil {
				return nil
			}
			return x.complete(ctx)
		}}
		if stream {
			return c, nil
		}
		return memPacketConn{c}, nil
	}}
}
