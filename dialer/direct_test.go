package dialer_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

// Direct is called with the name that a fake address stands for, and Net dials that name, here "localhost".
func TestDirectIsAskedWithTheName(t *testing.T) {
	port := echo(t, loopback4)
	service := strconv.Itoa(int(port))
	g := new(testgw.Gateway)
	d := behind(t, g)
	var asked [][2]string
	d.Direct = func(network, address string) bool {
		asked = append(asked, [2]string{network, address})
		return address == "localhost:"+service
	}
	var dialed []string
	d.Net = &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		dialed = append(dialed, address)
		return nil
	}}
	fake := assign(t, d, "ip4", "LocalHost")

	for _, address := range []string{at(fake, port), "LOCALHOST.:" + service} {
		c, err := d.Dial("tcp4", address)
		require.NoError(t, err)
		echoes(t, c)
		require.IsType(t, (*net.TCPConn)(nil), c)
		require.NoError(t, c.Close())
	}
	require.Equal(t, []string{"127.0.0.1:" + service, "127.0.0.1:" + service}, dialed)
	require.Empty(t, g.Requests())
	require.Zero(t, leases(d))

	u, err := d.Dial("udp4", at(fake, port))
	require.NoError(t, err)
	require.IsType(t, (*net.UDPConn)(nil), u)
	require.NoError(t, u.Close())

	c, err := d.Dial("tcp6", at(name, port))
	require.NoError(t, err)
	echoes(t, c)
	require.NoError(t, c.Close())
	require.Equal(t, testgw.Name, lastTarget(t, g).ATYP)
	require.Equal(t, [][2]string{
		{"tcp4", "localhost:" + service}, {"tcp4", "localhost:" + service}, {"udp4", "localhost:" + service}, {"tcp6", name + ":" + service},
	}, asked)
}

// A direct dial uses no entry of the table, and a zero net.Dialer if Net is nil.
func TestDirectTakesNoRoom(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Table = newTable(t, mapping.Config{Size: 1, Hold: time.Hour})
	assign(t, d, "ip4", name)
	d.Direct = func(_, address string) bool { return address != at(other, 80) }
	_, err := d.Dial("tcp", at(other, 80))
	require.ErrorIs(t, err, mapping.ErrFull)
	c, err := d.Dial("tcp", at("localhost", echo(t, loopback4)))
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// A stale address is not dialed directly, and Direct is not called for it.
func TestStaleAddressIsNeverDialedDirectly(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Direct = func(network, address string) bool { t.Error("Direct called for", address); return true }
	_, err := d.Dial("tcp", "240.0.0.0:80")
	require.ErrorIs(t, err, mapping.ErrStale)
	_, err = (&dialer.Dialer{Direct: d.Direct}).Dial("tcp", "127.0.0.1:80")
	require.ErrorContains(t, err, "no Gateway")
}

// Net's Resolver may be a resolver.Resolver's by mistake: a dial of the fake address that it returns fails before a
// packet is sent, with an error that has the name.
func TestDirectNeverDialsAFake(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Direct = func(string, string) bool { return true }
	r := &resolver.Resolver{Table: d.Table}
	for _, own := range []*net.Dialer{
		{Resolver: r.NetResolver()},
		{Resolver: r.NetResolver(), Control: func(string, string, syscall.RawConn) error { t.Error("called"); return nil }},
		{Resolver: r.NetResolver(), ControlContext: func(context.Context, string, string, syscall.RawConn) error { t.Error("called"); return nil }},
	} {
		d.Net = own
		for _, network := range []string{"tcp", "tcp4", "udp", "udp4"} {
			_, err := d.DialContext(t.Context(), network, at(name, 80))
			require.ErrorAs(t, err, new(*net.AddrError), network)
			require.ErrorContains(t, err, "fake address of "+name)
		}
	}
}

// Net's own Control and ControlContext are called by the rules of package net, and Net is not changed.
func TestDirectCallsNetsControl(t *testing.T) {
	port := echo(t, loopback4)
	d := behind(t, new(testgw.Gateway))
	d.Direct = func(string, string) bool { return true }
	refused := errors.New("refused by the application")
	called := ""
	plain := func(string, string, syscall.RawConn) error { called += "Control "; return refused }
	withContext := func(_ context.Context, _, address string, _ syscall.RawConn) error {
		called += address
		return refused
	}
	for _, tt := range []struct {
		own  net.Dialer
		want string
	}{
		{net.Dialer{Control: plain}, "Control "},
		{net.Dialer{ControlContext: withContext}, at(loopback4, port)},
		{net.Dialer{Control: plain, ControlContext: withContext}, at(loopback4, port)},
	} {
		called = ""
		d.Net = &tt.own
		c, err := d.Dial("tcp", at(loopback4, port))
		if err == nil {
			c.Close()
		}
		require.ErrorIs(t, err, refused)
		require.Equal(t, tt.want, called)
		require.Nil(t, d.Net.Resolver)
		require.Equal(t, tt.own.ControlContext == nil, d.Net.ControlContext == nil)
	}
}

// Names below localhost are dialed at loopback, whatever a DNS server answers.
func TestNameBelowLocalhostIsDialedAtLoopback(t *testing.T) {
	port := echo(t, loopback4)
	d := behind(t, new(testgw.Gateway))
	d.Direct = func(_, address string) bool { return address == at("db.localhost", port) }
	for _, host := range []any{"db.localhost", "DB.Localhost.", assign(t, d, "ip4", "db.localhost")} {
		c, err := d.Dial("tcp4", at(host, port))
		require.NoError(t, err)
		require.Equal(t, at(loopback4, port), c.RemoteAddr().String())
		require.NoError(t, c.Close())
	}
}
