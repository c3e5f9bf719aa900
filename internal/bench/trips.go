package main

import (
	"context"
	"io"
	"net"
	"slices"
	"time"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/socks"
)

// tripRTT is the round trip at which round trips are counted. It is long compared with the computing time.
const tripRTT = 20 * time.Millisecond

// destination is a name. The gateway takes every name for its own machine.
const destination = "www.example.com"

// behind returns the destination's name with the port of at, for clients of a gateway.
func behind(at string) string {
	_, port, _ := net.SplitHostPort(at)
	return net.JoinHostPort(destination, port)
}

// trips counts round trips.
func trips(l *lab) (*report.Section, error) {
	far, err := l.distant()
	if err != nil {
		return nil, err
	}
	defer far.stop()
	s := &report.Section{
		Title: "Round trips",
		Text: `
The client and the gateway are in separate network namespaces. The link between them delays every packet, including TCP's
handshake. The gateway and the destination behind it belong to this program. The time of a dial, and the time from its start
to the first byte back, are divided by the link's round trip, 20 ms in the table. *First* is the first dial of a new
Client, which has not learned yet whether the gateway accepts a pipelined handshake. With *Spare*, a spare connection was
ready. With *FastOpen*, the gateway's system accepts data in a SYN, and issued a cookie for it on the dial before.`,
	}
	if far.missing > 0 {
		s.Text += "\n\nNo namespaces could be made here: relays delayed the data, and a round trip was added for each TCP handshake."
	}
	if err := tripTable(l, far, s); err != nil {
		return nil, err
	}
	return s, tripPlot(l, far, s)
}

// trip is the time of a dial, and the time from its start to the first byte back, in round trips.
type trip struct{ dial, first report.Sample }

func tripTable(l *lab, far *distance, s *report.Section) error {
	open, err := tripClients(&far.addrs, false)
	if err != nil {
		return err
	}
	auth, err := tripClients(&far.addrs, true)
	if err != nil {
		return err
	}
	all := slices.Concat([]candidate{directClient()}, open, auth)
	defer closeAll(all)
	results, err := runTrips("round trips", far, all, tripRTT, l.pick(15, 3))
	if err != nil {
		return err
	}
	t := &report.Table{Head: []string{"20 ms", "dial, round trips", "user/password", "first octet back, round trips", "user/password"}}
	t.Row(direct, results[0].dial, "", results[0].first, "")
	for i, c := range open {
		o, a := results[1+i], results[1+len(open)+i]
		t.Row(c.name, o.dial, a.dial, o.first, a.first)
		switch c.name {
		case ours:
			s.Figures = append(s.Figures,
				report.AtMost("round trips of a dial, no auth", o.dial, 2.15), report.AtMost("round trips of a dial, user/password", a.dial, 2.15),
				report.AtMost("round trips to the first octet back, no auth", o.first, 3.2), report.AtMost("round trips to the first octet back, user/password", a.first, 3.2))
		case oursSpare:
			s.Figures = append(s.Figures,
				report.AtMost("round trips of a dial with Spare, no auth", o.dial, 1.1), report.AtMost("round trips of a dial with Spare, user/password", a.dial, 1.1),
				report.AtMost("round trips to the first octet back with Spare, no auth", o.first, 2.15), report.AtMost("round trips to the first octet back with Spare, user/password", a.first, 2.15))
		case oursFast:
			if far.missing == 0 { // a relay's connection to the gateway does not use Fast Open
				s.Figures = append(s.Figures,
					report.AtMost("round trips of a dial with FastOpen, no auth", o.dial, 1.1), report.AtMost("round trips of a dial with FastOpen, user/password", a.dial, 1.1))
			}
		}
	}
	s.Parts = append(s.Parts, t)
	return nil
}

// tripClients returns the candidates of the table.
func tripClients(a *servers.Addrs, auth bool) ([]candidate, error) {
	list, err := ourClients(a, auth)
	if err != nil {
		return nil, err
	}
	step := newSocks(a, auth)
	step.Handshake = socks.HandshakeStepwise
	fast := newSocks(a, auth)
	fast.FastOpen = true
	list = append(list,
		spareClient(oursSpare, newSocks(a, auth)),
		socksClient(oursFast, fast),
		candidate{name: "**socks**, first", connects: true, dial: func(ctx context.Context, address string) (net.Conn, error) {
			return newSocks(a, auth).DialContext(ctx, "tcp", address)
		}},
		socksClient("**socks**, Stepwise", step))
	others, err := peerClients(a, auth, nil)
	return append(list, others...), err
}

// tripPlot plots the time of a dial by the round trip.
func tripPlot(l *lab, far *distance, s *report.Section) error {
	list, err := ourClients(&far.addrs, false)
	if err != nil {
		return err
	}
	x, err := xnetClient(&far.addrs, false, nil)
	if err != nil {
		return err
	}
	xAuth, err := xnetClient(&far.addrs, true, nil)
	if err != nil {
		return err
	}
	x.name, xAuth.name = "x/net, wzshiming, txthinking", "the same, user/password"
	list = []candidate{directClient(), list[0], spareClient("socks, Spare", newSocks(&far.addrs, true)), x, xAuth}
	list[1].name = "socks, also with user/password"
	defer closeAll(list)
	p := &report.Plot{
		File: "dial-by-rtt.svg", Title: "Time of a dial by round trip", X: "round trip, ms", Y: "dial, ms",
		Lines: report.NewLines(namesOf(list)),
	}
	t := report.NewTable("dial, ms, by round trip", namesOf(list))
	rtts := []time.Duration{1, 5, 10, 20, 50, 100}
	if l.quick {
		rtts = []time.Duration{1, 20}
	}
	for _, rtt := range rtts {
		rtt *= time.Millisecond
		results, err := runTrips("dial by round trip", far, list, rtt, l.pick(3, 1))
		if err != nil {
			return err
		}
		ms := rtt.Seconds() * 1e3
		dials := make([]float64, len(results))
		for i, r := range results {
			dials[i] = r.dial.Median() * ms
		}
		report.AddColumn(t, report.Number(ms)+" ms", dials)
		p.Add(ms, dials)
	}
	s.Parts = append(s.Parts, p, t)
	return nil
}

// runTrips measures each candidate in each of rounds. Each candidate dials once before that.
func runTrips(what string, far *distance, list []candidate, rtt time.Duration, rounds int) ([]trip, error) {
	if err := far.setRTT(rtt); err != nil {
		return nil, err
	}
	results := make([]trip, len(list))
	for _, c := range list {
		if _, _, err := oneTrip(c, far); err != nil {
			return nil, err
		}
	}
	return results, interleave(what, rounds, len(list), func(i int) error {
		dial, first, err := oneTrip(list[i], far)
		if err != nil {
			return err
		}
		var added float64
		if list[i].connects {
			added = far.missing
		}
		results[i].dial = append(results[i].dial, float64(dial)/float64(rtt)+added)
		results[i].first = append(results[i].first, float64(first)/float64(rtt)+added)
		return nil
	})
}

// oneTrip dials and exchanges one byte. It returns the time of the dial and the time until the byte is back.
func oneTrip(c candidate, far *distance) (dial, first time.Duration, err error) {
	address := behind(far.addrs.Echo)
	if c.name == direct {
		address = far.addrs.Direct
	}
	if c.ready != nil {
		if err := c.ready(); err != nil {
			return 0, 0, err
		}
	}
	begun := time.Now()
	conn, err := c.dial(context.Background(), address)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	dial = time.Since(begun)
	var b [1]byte
	if _, err := conn.Write(b[:]); err != nil {
		return 0, 0, err
	}
	_, err = io.ReadFull(conn, b[:])
	return dial, time.Since(begun), err
}
