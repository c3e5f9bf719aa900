package main

import (
	"errors"
	"os/exec"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// dnsPeer is one DNS server with its load.
type dnsPeer struct {
	name    string
	addr    string
	queries [][]byte
	plain   int    // the index of the plain handler that it is compared with
	cache   string // the program, if the server is a cache of the system's packages
	used    func() (time.Duration, error)
	stop    func()

	rate, cpu, load report.Sample
}

// The indexes of dnsServers and of the peers. The caches follow.
const (
	peerSpecific = iota
	peerPlain
	peerAny
	peerPlainAny
	peerDirect
	peerSearch
	peerPlainSearch
	peerCaches
)

const plainName = "miekg/dns, a handler that looks nothing up"

// dnsServers are the servers that this program starts, each in a separate process.
var dnsServers = []struct {
	name  string
	role  string
	mode  servers.DNSMode
	pod   bool // asked the queries of a pod
	plain int  // see dnsPeer
}{
	peerSpecific:    {"**resolver.Server**", roleDNS, servers.DNSSpecific, false, peerPlain},
	peerPlain:       {plainName, rolePlainDNS, servers.DNSSpecific, false, peerPlain},
	peerAny:         {"**resolver.Server**, bound to 0.0.0.0", roleDNS, servers.DNSAny, false, peerPlainAny},
	peerPlainAny:    {plainName + ", bound to 0.0.0.0", rolePlainDNS, servers.DNSAny, false, peerPlainAny},
	peerDirect:      {"**resolver.Server** with Direct", roleDNS, servers.DNSDirect, false, peerPlain},
	peerSearch:      {"**resolver.Server** with Kubernetes' search list, asked by a pod", roleDNS, servers.DNSSearch, true, peerPlainSearch},
	peerPlainSearch: {plainName + ", asked by a pod", rolePlainDNS, servers.DNSSpecific, true, peerPlainSearch},
}

// dnsPeers starts the servers. The caches of the system's packages come last; missing names the ones that are not
// installed.
func dnsPeers() (peers []*dnsPeer, missing string, err error) {
	defer func() {
		if err != nil {
			stopPeers(peers)
		}
	}()
	names, err := packQueries()
	if err != nil {
		return nil, "", err
	}
	pod, err := podQueries()
	if err != nil {
		return nil, "", err
	}
	for _, s := range dnsServers {
		p := &dnsPeer{name: s.name, queries: names, plain: s.plain}
		if s.pod {
			p.queries = pod
		}
		c, err := start(dnsRole(s.role, s.mode), &p.addr, nil)
		if err != nil {
			return peers, "", err
		}
		p.used, p.stop = c.cpu, c.stop
		peers = append(peers, p)
	}
	for _, program := range []string{"dnsmasq", "unbound"} {
		c, err := startCache(program, names)
		if errors.Is(err, exec.ErrNotFound) {
			missing += " " + program + " is not installed here."
			continue
		}
		if err != nil {
			return peers, "", err
		}
		name := program + ", one thread, the names cached"
		peers = append(peers, &dnsPeer{name: name, addr: c.addr, queries: names, plain: peerPlain, cache: program, used: c.used, stop: c.Stop})
	}
	return peers, missing, nil
}

func stopPeers(peers []*dnsPeer) {
	for _, p := range peers {
		p.stop()
	}
}

// measure floods a server with queries, and records the rate and the processor time of both sides.
func (p *dnsPeer) measure(times int) error {
	before, err := p.used()
	if err != nil {
		return err
	}
	c, err := timed(func() error { return flood(p.addr, p.queries, times) })
	if err != nil {
		return err
	}
	after, err := p.used()
	p.rate = append(p.rate, float64(times)/c.wall.Seconds())
	p.load = append(p.load, float64(c.cpu.Nanoseconds())/1e3/float64(times))
	p.cpu = append(p.cpu, float64((after-before).Nanoseconds())/1e3/float64(times))
	return err
}

// dnsServer measures the DNS server in four modes, beside a plain handler and the caches of the system's packages.
func dnsServer(l *lab) (*report.Section, error) {
	peers, missing, err := dnsPeers()
	if err != nil {
		return nil, err
	}
	defer stopPeers(peers)
	for _, p := range peers { // so that the names are known
		if err := flood(p.addr, p.queries, dnsSockets*len(p.queries)); err != nil {
			return nil, err
		}
	}
	err = interleave("DNS", l.pick(40, 5), len(peers), func(i int) error { return peers[i].measure(5000) })
	if err != nil {
		return nil, err
	}
	t := &report.Table{Head: []string{"A queries on loopback UDP, 64 in flight", "per second", "of plain", "server's µs each", "of plain", "load's µs each"}}
	for _, p := range peers {
		plain := peers[p.plain]
		t.Row(p.name, p.rate, p.rate.Over(plain.rate), p.cpu, p.cpu.Over(plain.cpu), p.load)
	}
	return &report.Section{
		Title: "DNS server",
		Text: `
Each server is a separate process, and knows or caches all 1,000 names. The load comes from this process, and takes nearly as
much processor time as the server, on the same machine. The rates therefore differ by less than the servers do; compare the
processor time. A pod's stub appends each of Kubernetes' three search domains to a name before it asks for the name itself: the
library's server denies three of four questions, with an SOA record, and the plain handler answers each with an address.` + missing,
		Parts:   []report.Part{t},
		Figures: dnsFigures(peers),
	}, nil
}

// dnsFigures returns the figures of the modes, and of the caches that are installed.
func dnsFigures(peers []*dnsPeer) (figures []report.Figure) {
	for _, mode := range []struct {
		peer int
		name string
	}{
		{peerSpecific, "on a specific address"},
		{peerAny, "on 0.0.0.0"},
		{peerDirect, "with Direct"},
		{peerSearch, "with Kubernetes' search list"},
	} {
		p := peers[mode.peer]
		plain := peers[p.plain]
		figures = append(figures,
			report.AtLeast("DNS queries per second "+mode.name+", of a plain miekg/dns handler's", p.rate.Over(plain.rate), 1.5),
			report.AtLeast("DNS queries per second of the server's processor time "+mode.name+", of a plain miekg/dns handler's", plain.cpu.Over(p.cpu), 1.5))
	}
	bounds := map[string]float64{"dnsmasq": 0.7, "unbound": 1}
	for _, p := range peers[peerCaches:] {
		figures = append(figures, report.AtMost("DNS server's processor time per query, of "+p.cache+"'s", peers[peerSpecific].cpu.Over(p.cpu), bounds[p.cache]))
	}
	return figures
}
