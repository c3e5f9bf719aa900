package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// Directions of a copy, from the client's point of view.
const (
	upload   = "socket → connection"
	download = "connection → socket"
)

// bulk measures copies between a socket and a connection through the gateway.
func bulk(l *lab) (*report.Section, error) {
	a, err := l.servers()
	if err != nil {
		return nil, err
	}
	list, err := allClients(plainClient(a), a, false)
	if err != nil {
		return nil, err
	}
	s := &report.Section{
		Title: "Bulk data",
		Text: `
io.Copy between a local socket and a connection through the relay, ` + fmt.Sprint(portion>>20) + ` MiB per round and candidate. Each connection stays
open for ` + fmt.Sprint(bulkRounds) + ` rounds, because throughput differs between connections. All candidates use the same relay process. Direct means
a connection to a port of it that relays without SOCKS, after an exchange of as many bytes as SOCKS takes: TCP is slower for
a while on a connection that began with an exchange, with any client. Ratios are to direct, in the same round. The peers
are measured in the first rounds only. Processor time is the client's; with splice, it is close to zero.`,
	}
	for _, direction := range []string{upload, download} {
		if err := bulkTable(l, a, list, direction, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

const (
	portion       = 4 << 20 // bytes per copy
	bulkRounds    = 12      // rounds over the same connections
	judgedClients = 3       // direct and ours, which come first: figures need more rounds than the peers' rows
)

func bulkTable(l *lab, a *servers.Addrs, list []candidate, direction string, s *report.Section) error {
	costs := make([]bulkCost, len(list))
	all, judged := l.pick(28, 2), l.pick(140, 1)
	for set := range all + judged {
		measured := list
		if set >= all {
			measured = list[:judgedClients]
		}
		what := fmt.Sprintf("bulk data, %s, connections %d of %d", direction, set+1, all+judged)
		if err := bulkSet(a, measured, direction == upload, set, what, costs); err != nil {
			return err
		}
	}
	t := &report.Table{Head: []string{direction, "MiB/s", "of direct", "client's µs per MiB", "of direct"}}
	for i, c := range list {
		fast, cheap := costs[i].speed.Over(costs[0].speed), costs[i].cpu.Over(costs[0].cpu)
		t.Row(c.name, costs[i].speed, fast, costs[i].cpu, cheap)
		if c.name == ours || c.name == oursDialer {
			s.Figures = append(s.Figures,
				report.AtLeast("throughput of direct's, "+report.Plain(c.name)+", "+direction, fast, 0.97),
				report.AtMost("processor time a MiB of direct's, "+report.Plain(c.name)+", "+direction, cheap, 1.05))
		}
	}
	s.Parts = append(s.Parts, t)
	return nil
}

// bulkCost is the cost of copies: MiB/s, and microseconds of processor time per MiB.
type bulkCost struct{ speed, cpu report.Sample }

// bulkSet measures copies over a new connection of each candidate. Each set begins with another candidate.
func bulkSet(a *servers.Addrs, list []candidate, up bool, set int, what string, costs []bulkCost) error {
	copies := make([]*copying, len(list))
	for n := range list {
		i := (set + n) % len(list)
		var err error
		if copies[i], err = startCopy(list[i], a, up); err != nil {
			return err
		}
		defer copies[i].stop()
	}
	const mib = portion >> 20
	return interleave(what, bulkRounds, len(list), func(i int) error {
		i = (set + i) % len(list)
		c, err := timed(copies[i].next)
		costs[i].speed = append(costs[i].speed, mib/c.wall.Seconds())
		costs[i].cpu = append(costs[i].cpu, float64(c.cpu.Microseconds())/mib)
		return err
	})
}

// plainClient returns a candidate that reaches the bulk server through the relay, without SOCKS. It ignores the
// address.
func plainClient(a *servers.Addrs) candidate {
	direct := directClient()
	return candidate{name: "direct, through the same relay", dial: func(ctx context.Context, _ string) (net.Conn, error) {
		conn, err := direct.dial(ctx, a.Plain)
		if err != nil {
			return nil, err
		}
		if err := servers.Talk(conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}}
}

// copying is an io.Copy between a local socket and a connection through the relay.
type copying struct {
	from, to net.Conn
	ended    chan struct{} // closed when the copy has ended
}

func startCopy(c candidate, a *servers.Addrs, up bool) (*copying, error) {
	remote, err := c.dial(context.Background(), behind(a.Bulk))
	if err != nil {
		return nil, err
	}
	local, err := net.Dial("tcp", a.Bulk)
	if err != nil {
		remote.Close()
		return nil, err
	}
	p := &copying{from: remote, to: local, ended: make(chan struct{})}
	if up {
		p.from, p.to = local, remote
	}
	err = servers.Swallow(p.to, portion)
	go func() { // owned by p; ends with stop
		defer close(p.ended)
		io.Copy(p.to, p.from)
	}()
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// next copies a portion, and returns when the receiver has acknowledged it.
func (p *copying) next() error {
	if err := servers.Send(p.from, portion); err != nil {
		return err
	}
	var had [1]byte
	_, err := io.ReadFull(p.to, had[:])
	return err
}

func (p *copying) stop() {
	p.from.Close()
	p.to.Close()
	<-p.ended
}
