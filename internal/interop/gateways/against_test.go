package gateways

import (
	"cmp"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/socks"
)

// against tests the library against one gateway.
type against struct {
	world
	name       string
	gateway    *peers.Peer
	addr       string // address of the gateway; empty: its Addr
	auth       []socks.Auth
	handshakes []socks.Handshake // handshakes that the gateway supports
}

var handshakes = map[socks.Handshake]string{socks.HandshakeStepwise: "stepwise", socks.HandshakePipelined: "pipelined", socks.HandshakeAuto: "auto"}

var (
	anyHandshake = []socks.Handshake{socks.HandshakeStepwise, socks.HandshakePipelined, socks.HandshakeAuto}
	notTogether  = []socks.Handshake{socks.HandshakeStepwise, socks.HandshakeAuto}
)

// The account of a gateway that requires authentication.
const (
	user     = "sockslib-alice"
	password = "open sesame"
)

// works is the result in the document for a success.
const works = "works"

// patience bounds operations that must end by themselves.
const patience = 5 * time.Second

// each runs a test with every handshake, and records its result.
func (a against) each(t *testing.T, request string, test func(t *testing.T, ctx context.Context, c *socks.Client) string) {
	t.Helper()
	for _, h := range a.handshakes {
		t.Run(request+"/"+handshakes[h], func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c := &socks.Client{Addr: cmp.Or(a.addr, a.gateway.Addr), Auth: a.auth, Handshake: h}
			defer c.Close()
			result := test(t, ctx, c)
			table.Gateways.Record(t, table.Row{
				Peer: a.name, Version: a.gateway.Version, Request: request, How: handshakes[h], Result: result,
			})
		})
	}
}

// fails runs a test that must fail with every handshake, and records which errors it matches.
func (a against) fails(t *testing.T, request string, want error, do func(ctx context.Context, c *socks.Client) error) {
	t.Helper()
	a.each(t, request, func(t *testing.T, ctx context.Context, c *socks.Client) string {
		err := do(ctx, c)
		require.ErrorIs(t, err, want)
		var op *net.OpError
		var dns *net.DNSError
		require.True(t, errors.As(err, &op) || errors.As(err, &dns), "%T", err)
		return matches(err)
	})
}
