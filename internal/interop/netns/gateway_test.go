//go:build linux

package netns

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// gatewayPort is the port of every gateway.
const gatewayPort = 1080

// gateway is the bundled gateway, as a service of a node.
type gateway struct{ g testgw.Gateway }

// GatewayConfig is the configuration of a gateway.
type GatewayConfig struct {
	Listen []netip.Addr
	Hosts  map[string][]netip.Addr
	Next   string // URL of the gateway through which this one reaches everything; empty: directly
	Quirks testgw.Quirks
}

// Start starts the gateway, which runs until the node ends. If there is a next gateway, this library makes the
// outgoing connections (RFC 3089, section 4).
func (g *gateway) Start(c GatewayConfig, _ *none) error {
	g.g = testgw.Gateway{Hosts: c.Hosts, Timeout: patience, Quirks: c.Quirks}
	if c.Next != "" {
		d, err := dialer.FromURL(c.Next)
		if err != nil {
			return err
		}
		d.Gateway.(*socks.Client).Handshake = socks.HandshakePipelined // a busy machine makes no second attempt
		g.g.Dial, g.g.Listen, g.g.ListenPacket = d.DialContext, d.Listen, d.ListenPacket
	}
	for _, at := range c.Listen {
		if err := g.g.Start("tcp", netip.AddrPortFrom(at, gatewayPort).String()); err != nil {
			return err
		}
	}
	return nil
}

// Asked are the requests to a gateway.
type Asked struct {
	Requests  []Request
	Datagrams []testgw.Target // each once per association
}

// Request is a request that a gateway read.
type Request struct {
	Command wire.Command
	testgw.Target
}

// Take returns the requests since the last Take.
func (g *gateway) Take(_ none, asked *Asked) error {
	for _, r := range g.g.Requests() {
		asked.Requests = append(asked.Requests, Request{r.Command, r.Target})
	}
	for _, d := range g.g.Datagrams() {
		asked.Datagrams = append(asked.Datagrams, d.Target)
	}
	g.g.Reset()
	return nil
}

func take(t *testing.T, at *node) Asked {
	t.Helper()
	return call[Asked](t, at, "Gateway.Take", none{})
}

func (g *gateway) close() { g.g.Close() }

// gatewayAt returns the address of the gateway at a host.
func gatewayAt(host string) string { return net.JoinHostPort(host, strconv.Itoa(gatewayPort)) }
