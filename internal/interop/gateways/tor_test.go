package gateways

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

// tor has no network here, so it connects to nothing; it resolves the names in its configuration.
func TestTorResolves(t *testing.T) {
	w := newWorld(t)
	gateway := peers.Tor{Node: w.node, Mapped: map[string]netip.Addr{"mapped.test": netip.MustParseAddr("192.0.2.80")}}.Start(t)
	a := against{world: w, name: "tor", gateway: gateway, handshakes: anyHandshake}
	a.tor(t)
	a.waits(t)
	// It accepts every user and password, and uses them to isolate streams.
	a.name, a.auth = "tor, user/password", []socks.Auth{socks.UserPass(user, password)}
	a.tor(t)
	a.ends(t)
}

func (a against) tor(t *testing.T) {
	for _, to := range []struct{ request, name, want string }{
		{"RESOLVE of an IPv4 literal", "192.0.2.7", "192.0.2.7"},
		{"RESOLVE of an IPv6 literal", "2001:db8::7", "2001:db8::7"},
		{"RESOLVE of a mapped name", "mapped.test", "192.0.2.80"},
	} {
		a.each(t, to.request, func(t *testing.T, ctx context.Context, c *socks.Client) string {
			addr, err := c.Resolve(ctx, to.name)
			require.NoError(t, err)
			require.Equal(t, to.want, addr.String())
			return works
		})
	}
	a.fails(t, "CONNECT to an IPv4 address of its own network", socks.ErrGeneralFailure, connecting(a.server(loopback4)))
	a.fails(t, "CONNECT to a malformed onion", socks.ErrOnionBadAddress, connecting("malformed.onion:80"))
	a.fails(t, "CONNECT to an invalid name", socks.ErrGeneralFailure, connecting("some.exit:80"))
	a.fails(t, "RESOLVE of a malformed onion", socks.ErrHostUnreachable, resolving("malformed.onion"))
	a.fails(t, "RESOLVE_PTR of an address of its own network", socks.ErrHostUnreachable, resolvingAddr(netip.MustParseAddr(loopback4)))
	a.fails(t, "BIND", socks.ErrCommandNotSupported, listening)
	a.fails(t, "UDP ASSOCIATE", socks.ErrCommandNotSupported, associating)
}
