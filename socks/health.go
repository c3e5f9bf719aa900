package socks

import (
	"cmp"
	"hash/fnv"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// GatewayHealth is the state of one gateway of a [Group].
type GatewayHealth struct {
	Used       time.Time // when a request last ended at the gateway; zero: never
	Failures   int       // consecutive failures; zero: none is known
	RestsUntil time.Time // end of the gateway's rest; zero or past: it does not rest
	Err        error     // the last failure; nil if Failures is zero
}

// member is a gateway of a Group.
type member struct {
	GatewayHealth
	probed bool // the rest is over, and one request is probing the gateway
}

// Health returns the state of each gateway, in the order of Clients.
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

// candidate is a gateway in a request's queue.
type candidate struct {
	client *Client
	probe  bool // the request probes the gateway after its rest
}

// queue returns the gateways in the order in which a request tries them: first those that work or whose rest is
// over, by preference, then those that rest or are being probed, by the end of their rest. Only one request at a
// time probes a gateway; it must pass the candidate to note or release.
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

// preferred returns the Clients in the order of preference for address. With Spread, that is by rendezvous hashing
// of the host, so that a host keeps its gateway when other gateways are added or removed.
func (g *Group) preferred(address string) []*Client {
	host := hostIn(address)
	if !g.Spread || host == "" {
		return g.Clients
	}
	weight := func(c *Client) uint64 {
		if c == nil {
			return 0 // a nil Client fails, and the next one is tried
		}
		h := fnv.New64a()
		io.WriteString(h, host)
		io.WriteString(h, "\x00"+c.network()+"\x00"+c.Addr)
		return mixBits(h.Sum64())
	}
	clients := slices.Clone(g.Clients)
	slices.SortStableFunc(clients, func(a, b *Client) int { return cmp.Compare(weight(b), weight(a)) })
	return clients
}

// hostIn returns the canonical host of "host:port", or "" if there is none or it is a wildcard.
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

// mixBits spreads the bits of an FNV hash, in which the last byte of the input affects mostly the lowest bits.
func mixBits(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// note records the outcome v of a request at c, which failed with err if v.rests. It ends a probe.
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
	case v.rests && !now.Before(m.RestsUntil):
		// A failure during a rest does not count: it was concurrent, or the gateway was a last resort.
		m.Failures++
		m.Err = err
		m.RestsUntil = now.Add(g.rest(m.Failures))
	}
}

// release ends the probes of gateways that were not tried.
func (g *Group) release(untried []candidate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range untried {
		if c.probe {
			g.members[c.client].probed = false
		}
	}
}

// rest returns the rest after the given number of consecutive failures.
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
