package socks

import (
	"hash/fnv"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// GatewayHealth is the state of a gateway of a Group.
type GatewayHealth struct {
	Used       time.Time // when a request last ended at it; zero: never
	Failures   int       // in a row; zero: it works as far as is known
	RestsUntil time.Time // it rests until then; zero or past: it does not
	Err        error     // its last failure; nil when Failures is zero
}

// member is a gateway of a Group.
type member struct {
	GatewayHealth
	probed bool // its rest is over, and one request finds out whether it works
}

// Health returns the state of each of Clients, in their order.
func (g *Group) Health() []GatewayHealth {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]GatewayHealth, len(g.Clients))
	for i, c := range g.Clients {
		if m := g.members[c]; m != nil {
			all[i] = m.GatewayHealth
		}
	}
	return all
}

// candidate is a gateway that a request may try.
type candidate struct {
	client *Client
	probe  bool // the request is the one that finds out whether the gateway works after a rest
}

// queue returns the gateways in the order in which a request tries them: those that work or whose rest is over
// by preference, then those that rest by the end of their rest. A gateway whose rest is over is given to one
// request at a time, which notes or releases it.
func (g *Group) queue(address string, now time.Time) []candidate {
	g.mu.Lock()
	defer g.mu.Unlock()
	queue := make([]candidate, 0, len(g.Clients))
	var resting []candidate
	for _, c := range g.preferred(address) {
		m := g.members[c]
		switch {
		case m == nil || m.Failures == 0:
			queue = append(queue, candidate{client: c})
		case m.probed || now.Before(m.RestsUntil):
			resting = append(resting, candidate{client: c})
		default:
			m.probed = true
			queue = append(queue, candidate{client: c, probe: true})
		}
	}
	slices.SortStableFunc(resting, func(a, b candidate) int {
		return g.members[a.client].RestsUntil.Compare(g.members[b.client].RestsUntil)
	})
	return append(queue, resting...)
}

// preferred returns the Clients as Spread orders them for a destination: by rendezvous hashing of its host,
// so that a host keeps its gateway whatever others are added or removed.
func (g *Group) preferred(address string) []*Client {
	host := hostIn(address)
	if !g.Spread || host == "" {
		return g.Clients
	}
	weight := func(c *Client) uint64 {
		if c == nil {
			return 0 // it fails, and the next one is tried
		}
		h := fnv.New64a()
		io.WriteString(h, host)
		io.WriteString(h, "\x00"+c.network()+"\x00"+c.Addr)
		return mix(h.Sum64())
	}
	clients := slices.Clone(g.Clients)
	slices.SortStableFunc(clients, func(a, b *Client) int {
		if x, y := weight(a), weight(b); x != y {
			if x > y {
				return -1
			}
			return 1
		}
		return 0
	})
	return clients
}

// hostIn returns the canonical host of "host:port", or "" where there is none.
func hostIn(address string) string {
	a, err := parseAddr("tcp", address)
	switch {
	case err == nil && a.IP.IsUnspecified():
		return ""
	case err == nil && a.IP.IsValid():
		return a.IP.String()
	case err == nil:
		return a.Name
	}
	host, _, _ := net.SplitHostPort(address)
	return strings.ToLower(host)
}

// mix spreads the bits of a hash, of which FNV leaves the last byte's in the lowest ones.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// note records the end of a request.
func (g *Group) note(c candidate, v verdict, now time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members == nil {
		g.members = make(map[*Client]*member)
	}
	m := g.members[c.client]
	if m == nil {
		m = new(member)
		g.members[c.client] = m
	}
	if c.probe {
		m.probed = false
	}
	m.Used = now
	switch {
	case v.works:
		m.GatewayHealth = GatewayHealth{Used: now}
	case v.rests && !now.Before(m.RestsUntil): // otherwise one of several that failed at once, or one tried for want of another
		m.Failures++
		m.Err = err
		m.RestsUntil = now.Add(g.rest(m.Failures))
	}
}

// release gives back gateways that were not tried.
func (g *Group) release(untried []candidate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range untried {
		if c.probe {
			g.members[c.client].probed = false
		}
	}
}

// rest is the pause after so many failures in a row.
func (g *Group) rest(failures int) time.Duration {
	rest, most := g.Rest, g.MaxRest
	if rest <= 0 {
		rest = time.Second
	}
	if most <= 0 {
		most = time.Minute
	}
	for ; failures > 1 && rest < most; failures-- {
		rest *= 2
	}
	return min(rest, most)
}
