package main

import (
	"context"
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
	list, err := ourClients(a, false)
	if err != nil {
		return nil, err
	}
	others, err := peerClients(a, false, nil)
	if err != nil {
		return nil, err
	}
	relayed := directClient()
	relayed.name = "direct, through the same relay"
	list = append(append([]candidate{relayed}, list...), others...)
	s := &report.Section{
		Title: "Bulk data",
		Text: `
io.Copy between a local socket and a connection through the relay, 32 MiB a round. The relay is the same process for
all; direct means a connection to a port of its that relays without SOCKS. A ratio is to that, in the same round. Processor
time is the client's: with splice, next to nothing happens there.`,
	}
	for _, direction := range []string{upload, download} {
		if err := bulkTable(l, a, list, direction, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func bulkTable(l *lab, a *servers.Addrs, list []candidate, direction string, s *report.Section) error {
	const mib = 32
	speed, cpu := make([]report.Sample, len(list)), make([]report.Sample, len(list))
	err := interleave("bulk data, "+direction, l.pick(61, 5), len(list), func(i int) error {
		address := behind(a.Bulk)
		if i == 0 {
			address = a.Plain
		}
		c, err := copyOnce(list[i], a, address, direction == upload, mib<<20)
		speed[i] = append(speed[i], mib/c.wall.Seconds())
		cpu[i] = append(cpu[i], float64(c.cpu.Microseconds())/mib)
		return err
	})
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{direction, "MiB a second", "of direct", "client's µs a MiB", "of direct"}}
	for i, c := range list {
		fast, cheap := speed[i].Over(speed[0]), cpu[i].Over(cpu[0])
		t.Row(c.name, speed[i], fast, cpu[i], cheap)
		if c.name == ours || c.name == oursDialer {
			s.Figures = append(s.Figures,
				report.AtLeast("throughput of direct's, "+plain(c.name)+", "+direction, fast, 0.97),
				report.AtMost("processor time a MiB of direct's, "+plain(c.name)+", "+direction, cheap, 1.05))
		}
	}
	s.Parts = append(s.Parts, t)
	return nil
}

// copyOnce copies n octets, and takes the time until their receiver has had them.
func copyOnce(c candidate, a *servers.Addrs, address string, up bool, n int64) (cost, error) {
	remote, err := c.dial(context.Background(), address)
	if err != nil {
		return cost{}, err
	}
	defer remote.Close()
	local, err := net.Dial("tcp", a.Bulk)
	if err != nil {
		return cost{}, err
	}
	defer local.Close()
	from, to := remote, local
	if up {
		from, to = local, remote
	}
	if err := servers.Swallow(to, n); err != nil {
		return cost{}, err
	}
	return measure(func() error {
		if err := servers.Send(from, n); err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil {
			return err
		}
		var had [1]byte
		_, err := io.ReadFull(to, had[:])
		return err
	})
}
