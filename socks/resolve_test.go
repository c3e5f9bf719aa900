package socks_test

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

func TestResolveAsksTheGateway(t *testing.T) {
	documented := netip.MustParseAddr("192.0.2.1")
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{
		"four.example": {documented},
		"six.example":  {netip.MustParseAddr("2001:db8::1")},
		"both.example": {netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.2")},
	}}
	c := clientOf(t, g)
	for name, want := range map[string]string{
		"four.example": "192.0.2.1", "Four.EXAMPLE.": "192.0.2.1", "six.example": "2001:db8::1", "both.example": "192.0.2.2",
		"198.51.100.1": "198.51.100.1", "2001:db8::9": "2001:db8::9", "::ffff:192.0.2.9": "192.0.2.9",
	} {
		addr, err := c.Resolve(t.Context(), name)
		require.NoError(t, err, name)
		require.Equal(t, want, addr.String())
	}
	for _, r := range g.Requests() {
		require.Equal(t, wire.Resolve, r.Command)
		require.Zero(t, r.Port)
	}
	g.Reset()
	name, err := c.ResolveAddr(t.Context(), documented)
	require.NoError(t, err)
	require.Equal(t, "four.example", name)
	name, err = c.ResolveAddr(t.Context(), netip.AddrFrom16(documented.As16()))
	require.NoError(t, err)
	require.Equal(t, "four.example", name)
	require.Equal(t, wire.ResolvePTR, g.Requests()[0].Command)
}

func TestResolveErrorsAreDNSErrors(t *testing.T) {
	unspecified := "\x05\x00\x00\x03\x00\x00\x00"
	tests := map[string]struct {
		fault    func(int) testgw.Fault
		want     error
		notFound bool
		timeout  bool
	}{
		"unknown":               {nil, socks.ErrHostUnreachable, true, false},
		"not supported":         {answering(testgw.StageReply, "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"), socks.ErrCommandNotSupported, false, false},
		"timed out":             {answering(testgw.StageReply, "\x05\x06"), syscall.ETIMEDOUT, false, true},
		"hangs up":              {func(int) testgw.Fault { return testgw.Fault{End: testgw.FIN, After: 2} }, socks.ErrGateway, false, false},
		"resolves to nothing":   {answering(testgw.StageReply, unspecified), socks.ErrProtocol, false, false},
		"resolves to the other": {answering(testgw.StageReply, unspecified[:4]), socks.ErrGateway, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, &testgw.Gateway{Misbehave: test.fault})
			_, err := c.Resolve(t.Context(), "name.example")
			requireDNSError(t, err, "name.example", c.Addr)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, test.notFound, err.(*net.DNSError).IsNotFound)
			require.Equal(t, test.timeout, err.(*net.DNSError).IsTimeout)
			_, err = c.ResolveAddr(t.Context(), loopback4)
			requireDNSError(t, err, "127.0.0.1", c.Addr)
			require.ErrorIs(t, err, test.want)
		})
	}

	c := clientOf(t, &testgw.Gateway{Misbehave: answering(testgw.StageReply, "\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x00")})
	_, err := c.ResolveAddr(t.Context(), loopback4)
	require.ErrorIs(t, err, socks.ErrProtocol, "an address is no name")
	c = clientOf(t, &testgw.Gateway{Misbehave: answering(testgw.StageReply, "\x05\x00\x00\x03\x01x\x00\x00")})
	_, err = c.Resolve(t.Context(), "name.example")
	require.ErrorIs(t, err, socks.ErrProtocol, "a name is no address")

	// Gateways that take any command for CONNECT reply with the address from which they connected, or with none.
	for _, bound := range []string{"\x01\x7f\x00\x00\x01\x04\x42", "\x01\x00\x00\x00\x00\x00\x00", "\x04" + strings.Repeat("\x00", 18), "\x03\x01x\x04\x42"} {
		c = clientOf(t, &testgw.Gateway{Misbehave: answering(testgw.StageReply, "\x05\x00\x00"+bound)})
		_, err = c.Resolve(t.Context(), "name.example")
		requireDNSError(t, err, "name.example", c.Addr)
		require.ErrorIs(t, err, socks.ErrProtocol)
		require.ErrorContains(t, err, "as to a CONNECT")
		_, err = c.ResolveAddr(t.Context(), loopback4)
		require.ErrorIs(t, err, socks.ErrProtocol)
	}

	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("fe80::1%lo")} {
		_, err = c.ResolveAddr(t.Context(), addr)
		require.ErrorAs(t, err, new(*net.AddrError))
	}
}

func requireDNSError(t testing.TB, err error, name, server string) {
	t.Helper()
	dns, ok := err.(*net.DNSError)
	require.True(t, ok, "%T", err)
	require.Equal(t, name, dns.Name)
	require.Equal(t, server, dns.Server)
}
