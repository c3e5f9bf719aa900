package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"

	"github.com/quic-go/quic-go"
	qhttp3 "github.com/quic-go/quic-go/http3"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/socks"
)

// targetVar is the environment variable with the address to which a relay process relays.
const targetVar = "SOCKSLIB_BENCH_TARGET"

// h3Way is a way to the HTTP/3 server.
type h3Way struct {
	name    string
	between *child // the relay or gateway; nil: none
	open    func() (net.PacketConn, net.Addr, error)

	up, down h3Cost
}

// h3Cost is the cost of transfers in one direction: the rate in MiB/s, and processor time in ms per MiB.
type h3Cost struct{ rate, client, between report.Sample }

// http3 measures HTTP/3 transfers directly, through a relay without SOCKS, and through gateways.
func http3(l *lab) (*report.Section, error) {
	ways, err := h3Ways(l)
	if err != nil {
		return nil, err
	}
	size := l.pick(200<<20, 4<<20)
	err = interleave("HTTP/3", l.pick(5, 1), len(ways), func(i int) error {
		if err := ways[i].transfers(size); err != nil {
			return fmt.Errorf("%s: %w", ways[i].name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s := &report.Section{
		Title: "HTTP/3",
		Text: fmt.Sprintf(`
Transfers of %d MiB by quic-go to a server by its fake address, each on a new connection; medians of %d interleaved
rounds with quartiles. The client, the server and the relay or gateway are processes on this machine, and share its cores. Both
gateways are the bundled one: "singly" relays one datagram per system call, as most gateways do; the other receives and
sends runs of datagrams (UDP_GRO, UDP_SEGMENT). The relay without a header also works singly. Ratios are to that relay, in the
same round.`,
			size>>20, len(ways[0].up.rate)),
	}
	s.Parts = append(s.Parts, h3Table("upload", ways, func(w *h3Way) *h3Cost { return &w.up }), h3Table("download", ways, func(w *h3Way) *h3Cost { return &w.down }))
	relay, singly, runs := ways[1], ways[2], ways[3]
	s.Figures = []report.Figure{
		report.AtLeast("HTTP/3 upload, gateway singly, of the relay without a header", singly.up.rate.Over(relay.up.rate), 0.90),
		report.AtMost("HTTP/3 upload, gateway singly, client's time per MiB, of that relay's", singly.up.client.Over(relay.up.client), 1.20),
		report.AtLeast("HTTP/3 upload, bundled gateway, of that relay", runs.up.rate.Over(relay.up.rate), 1.10),
		report.AtLeast("HTTP/3 download, bundled gateway, of that relay", runs.down.rate.Over(relay.down.rate), 1.40),
		report.AtMost("HTTP/3 download, bundled gateway, client's time per MiB, of that relay's", runs.down.client.Over(relay.down.client), 0.75),
		report.AtMost("HTTP/3 download, bundled gateway's time per MiB, of one that relays singly", runs.down.between.Over(singly.down.between), 0.5),
		report.AtMost("HTTP/3 upload, bundled gateway's time per MiB, of one that relays singly", runs.up.between.Over(singly.up.between), 0.75),
	}
	return s, nil
}

func h3Table(what string, ways []*h3Way, of func(*h3Way) *h3Cost) *report.Table {
	t := &report.Table{Head: []string{what, "MiB/s", "of the relay's", "client's ms per MiB", "of the relay's", "between, ms per MiB"}}
	relay := of(ways[1])
	for _, w := range ways {
		c := of(w)
		t.Row(w.name, c.rate, c.rate.Over(relay.rate), c.client, c.client.Over(relay.client), c.between)
	}
	return t
}

// h3Ways starts the server, the relay and the gateways. The second way is the relay without a header.
func h3Ways(l *lab) ([]*h3Way, error) {
	var server, relay, runs, singly string
	if _, err := l.child(roleHTTP3, &server); err != nil {
		return nil, err
	}
	os.Setenv(targetVar, server)
	relayed, err := l.child(roleRelay, &relay)
	if err != nil {
		return nil, err
	}
	gatewayRuns, err := l.child(roleBundled, &runs)
	if err != nil {
		return nil, err
	}
	gatewaySingly, err := l.child(roleBundledSingly, &singly)
	if err != nil {
		return nil, err
	}
	port := netip.MustParseAddrPort(server).Port()
	return []*h3Way{
		{name: "direct", open: plainPackets(server)},
		{name: "a relay without a header", between: relayed, open: plainPackets(relay)},
		{name: "**dialer**, gateway singly", between: gatewaySingly, open: gatewayPackets(singly, port)},
		{name: "**dialer**, bundled gateway", between: gatewayRuns, open: gatewayPackets(runs, port)},
	}, nil
}

func plainPackets(to string) func() (net.PacketConn, net.Addr, error) {
	return func() (net.PacketConn, net.Addr, error) {
		p, err := net.ListenPacket("udp4", "127.0.0.1:0")
		return p, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)), err
	}
}

func gatewayPackets(gateway string, port uint16) func() (net.PacketConn, net.Addr, error) {
	return func() (net.PacketConn, net.Addr, error) {
		d, err := newDialer(&socks.Client{Addr: gateway})
		if err != nil {
			return nil, nil, err
		}
		fake, err := d.Table.Assign("ip4", destination)
		if err != nil {
			return nil, nil, err
		}
		p, err := d.ListenPacket(context.Background(), "udp", "")
		return p, net.UDPAddrFromAddrPort(netip.AddrPortFrom(fake, port)), err
	}
}

// transfers transfers size bytes in each direction.
func (w *h3Way) transfers(size int) error {
	packets, to, err := w.open()
	if err != nil {
		return err
	}
	defer packets.Close()
	transport := &quic.Transport{Conn: packets}
	defer transport.Close()
	rt := &qhttp3.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the server is this program's
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return transport.DialEarly(ctx, to, t, q)
		},
	}
	defer rt.Close()
	client := &http.Client{Transport: rt}
	up := func() error {
		response, err := client.Post("https://localhost"+servers.Upload, "", bytes.NewReader(make([]byte, size)))
		return swallowed(response, err, -1)
	}
	down := func() error {
		response, err := client.Get(fmt.Sprint("https://localhost", servers.Download, size))
		return swallowed(response, err, size)
	}
	if err := w.account(&w.up, size, up); err != nil {
		return err
	}
	return w.account(&w.down, size, down)
}

// account runs a transfer and adds its cost to to.
func (w *h3Way) account(to *h3Cost, size int, transfer func() error) error {
	before, err := w.between.used()
	if err != nil {
		return err
	}
	c, err := timed(transfer)
	if err != nil {
		return err
	}
	after, err := w.between.used()
	if err != nil {
		return err
	}
	mib := float64(size) / (1 << 20)
	to.rate = append(to.rate, mib/c.wall.Seconds())
	to.client = append(to.client, c.cpu.Seconds()*1e3/mib)
	to.between = append(to.between, (after-before).Seconds()*1e3/mib)
	return nil
}

// swallowed reads a response. It fails if the body does not have want bytes; -1 stands for any length.
func swallowed(response *http.Response, err error, want int) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && want >= 0 && n != int64(want) {
		err = errors.New("the body is cut")
	}
	return err
}
