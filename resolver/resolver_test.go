package resolver

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/mapping"
)

func TestResolverHasEveryMethodOfNetResolver(t *testing.T) {
	theirs, listed := reflect.TypeFor[*net.Resolver](), reflect.TypeFor[lookups]()
	require.Equal(t, theirs.NumMethod(), listed.NumMethod())
	for i := range theirs.NumMethod() {
		m := theirs.Method(i)
		_, ok := listed.MethodByName(m.Name)
		require.True(t, ok, m.Name)
	}
}

func TestLookupsReturnTheFakeOfTheFamily(t *testing.T) {
	ctx, table := t.Context(), newTable(t)
	r := &Resolver{Table: table}

	v4, err := r.LookupNetIP(ctx, "ip4", "db.example")
	require.NoError(t, err)
	v6, err := r.LookupNetIP(ctx, "ip6", "DB.example.")
	require.NoError(t, err)
	require.Len(t, v4, 1)
	require.Len(t, v6, 1)
	require.True(t, v4[0].Is4())
	require.True(t, v6[0].Is6())
	for _, addr := range []netip.Addr{v4[0], v6[0]} {
		name, ok := table.Name(addr)
		require.True(t, ok)
		require.Equal(t, "db.example", name)
		back, err := r.LookupAddr(ctx, addr.String())
		require.NoError(t, err)
		require.Equal(t, []string{"db.example."}, back)
	}

	any, err := r.LookupNetIP(ctx, "ip", "db.example")
	require.NoError(t, err)
	require.Equal(t, v4, any)
	hosts, err := r.LookupHost(ctx, "db.example")
	require.NoError(t, err)
	require.Equal(t, []string{v4[0].String()}, hosts)
	ips, err := r.LookupIP(ctx, "ip6", "db.example")
	require.NoError(t, err)
	require.Equal(t, []net.IP{v6[0].AsSlice()}, ips)
	addrs, err := r.LookupIPAddr(ctx, "db.example")
	require.NoError(t, err)
	require.Equal(t, []net.IPAddr{{IP: v4[0].AsSlice()}}, addrs)
	cname, err := r.LookupCNAME(ctx, "Db.Example")
	require.NoError(t, err)
	require.Equal(t, "db.example.", cname)
	require.Equal(t, 1, table.Len())
}

func TestLiteralsAreReturnedOrRegistered(t *testing.T) {
	ctx, table := t.Context(), newTable(t)
	r := &Resolver{Table: table}
	for _, literal := range []string{"192.0.2.1", "2001:db8::1", "2001:DB8::1", "fe80::1%eth0", "::ffff:192.0.2.1"} {
		hosts, err := r.LookupHost(ctx, literal)
		require.NoError(t, err)
		require.Equal(t, []string{literal}, hosts)
		addrs, err := r.LookupNetIP(ctx, "ip", literal)
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{netip.MustParseAddr(literal).Unmap()}, addrs)
	}
	zoned, err := r.LookupIPAddr(ctx, "fe80::1%eth0")
	require.NoError(t, err)
	require.Equal(t, "fe80::1%eth0", zoned[0].String())
	require.Zero(t, table.Len())

	for _, c := range []struct{ network, literal string }{{"ip4", "2001:db8::1"}, {"ip6", "192.0.2.1"}} { // RFC 3089, section 3
		addrs, err := r.LookupNetIP(ctx, c.network, c.literal)
		require.NoError(t, err)
		require.Len(t, addrs, 1)
		require.Equal(t, c.network == "ip4", addrs[0].Is4())
		require.True(t, table.Contains(addrs[0]))
		name, ok := table.Name(addrs[0])
		require.True(t, ok)
		require.Equal(t, c.literal, name)
		back, err := r.LookupAddr(ctx, addrs[0].String())
		require.NoError(t, err)
		require.Equal(t, []string{c.literal}, back)
	}
	_, err = r.LookupNetIP(ctx, "ip4", "fe80::1%eth0")
	require.ErrorIs(t, err, mapping.ErrBadName)
}

func TestLocalhostIsLoopback(t *testing.T) {
	ctx, table := t.Context(), newTable(t)
	direct := func(string) bool { return true }
	r := &Resolver{Table: table, Direct: direct, System: refusing(t)}
	for _, name := range []string{"localhost", "LOCALHOST.", "db.localhost", "a.b.Localhost."} {
		for network, want := range map[string][]string{"ip4": {"127.0.0.1"}, "ip6": {"::1"}, "ip": {"127.0.0.1", "::1"}} {
			addrs, err := r.LookupNetIP(ctx, network, name)
			require.NoError(t, err)
			got := []string{}
			for _, a := range addrs {
				got = append(got, a.String())
			}
			require.Equal(t, want, got)
		}
	}
	back, err := r.LookupAddr(ctx, "127.0.0.1")
	require.NoError(t, err)
	require.Equal(t, []string{"localhost."}, back)
	require.Zero(t, table.Len())

	_, err = (&Resolver{Table: table}).LookupHost(ctx, "notlocalhost")
	require.NoError(t, err)
	require.Equal(t, []string{"notlocalhost"}, mapped(table))
}

func TestErrorsAreDNSErrors(t *testing.T) {
	table := newTable(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for _, c := range []struct {
		what     string
		r        *Resolver
		ctx      context.Context
		name     string
		is       error
		timeout  bool
		notFound bool
	}{
		{"no table", &Resolver{System: refusing(t), Direct: func(string) bool { return true }}, t.Context(), "db.example", errNoTable, false, false},
		{"nil", nil, t.Context(), "db.example", errNoTable, false, false},
		{"cancelled", &Resolver{Table: table}, cancelled, "db.example", context.Canceled, false, false},
		{"expired", &Resolver{Table: table}, expired, "db.example", context.DeadlineExceeded, true, false},
		{"empty", &Resolver{Table: table}, t.Context(), "", nil, false, true},
		{"space", &Resolver{Table: table}, t.Context(), "a b", mapping.ErrBadName, false, true},
		{"NUL", &Resolver{Table: table}, t.Context(), "a\x00b", mapping.ErrBadName, false, true},
		{"long", &Resolver{Table: table}, t.Context(), strings.Repeat("a.", 150), mapping.ErrBadName, false, true},
		{"dots", &Resolver{Table: table}, t.Context(), "a..", mapping.ErrBadName, false, true},
		{"number", &Resolver{Table: table}, t.Context(), "127.1", mapping.ErrBadName, false, true},
	} {
		every(c.r, func(method string, lookup func(context.Context, string) error) {
			err := lookup(c.ctx, c.name)
			var e *net.DNSError
			require.ErrorAs(t, err, &e, "%s %s", method, c.what)
			if c.is != nil {
				require.ErrorIs(t, err, c.is, "%s %s", method, c.what)
			}
			require.Equal(t, c.name, e.Name, "%s %s", method, c.what)
			require.Equal(t, c.timeout, e.Timeout(), "%s %s", method, c.what)
			require.Equal(t, c.notFound, e.IsNotFound, "%s %s", method, c.what)
		})
	}
	require.Zero(t, table.Len())
}

func TestOtherLookupsFindNothingWithoutUpstream(t *testing.T) {
	ctx, table := t.Context(), newTable(t)
	r := &Resolver{Table: table, System: refusing(t)}
	every(r, func(method string, lookup func(context.Context, string) error) {
		switch method {
		case "LookupMX", "LookupNS", "LookupTXT", "LookupSRV":
			err := lookup(ctx, "db.example")
			var e *net.DNSError
			require.ErrorAs(t, err, &e, method)
			require.True(t, e.IsNotFound, method)
		}
	})
	for _, addr := range []string{"240.1.2.3", "100::1:2:3", "192.0.2.1", "2001:db8::1"} {
		_, err := r.LookupAddr(ctx, addr)
		require.True(t, isNotFound(err), "%s: %v", addr, err)
	}
	_, err := r.LookupAddr(ctx, "db.example")
	require.ErrorContains(t, err, "unrecognized address")
	_, err = r.LookupNetIP(ctx, "tcp", "db.example")
	require.Equal(t, net.UnknownNetworkError("tcp"), err)
	port, err := r.LookupPort(ctx, "tcp", "443")
	require.NoError(t, err)
	require.Equal(t, 443, port)
}

func TestFullTableIsATemporaryError(t *testing.T) {
	table, err := mapping.New(mapping.Config{Size: 1})
	require.NoError(t, err)
	r := &Resolver{Table: table}
	_, err = r.LookupHost(t.Context(), "a.example")
	require.NoError(t, err)
	_, err = r.LookupHost(t.Context(), "b.example")
	require.ErrorIs(t, err, mapping.ErrFull)
	var e *net.DNSError
	require.ErrorAs(t, err, &e)
	require.True(t, e.Temporary())
	require.False(t, e.IsNotFound)
}

// System looks up a Direct name, by the same method. In this test, System is another NetResolver.
func TestSystemLooksUpDirectNames(t *testing.T) {
	ctx, table, theirs := t.Context(), newTable(t), newTable(t)
	system := (&Resolver{Table: theirs}).netResolver(func() *searchList { return &searchList{} })
	r := &Resolver{Table: table, System: system, Direct: func(name string) bool { return name == "direct.example" || name == "192.0.2.9" }}
	addrs, err := r.LookupNetIP(ctx, "ip4", "DIRECT.example.")
	require.NoError(t, err)
	require.True(t, addrs[0].Is4())
	hosts, err := r.LookupHost(ctx, "direct.example")
	require.NoError(t, err)
	require.Contains(t, hosts, addrs[0].String())
	require.Equal(t, []string{"direct.example"}, mapped(theirs))
	require.Zero(t, table.Len())
	_, err = r.LookupMX(ctx, "direct.example")
	require.True(t, isNotFound(err))

	_, err = r.LookupHost(ctx, "other.example")
	require.NoError(t, err)
	require.Equal(t, []string{"other.example"}, mapped(table))
}

func TestLookupNetIPAllocatesItsResultAlone(t *testing.T) {
	r := &Resolver{Table: newTable(t)}
	ctx := t.Context()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := r.LookupNetIP(ctx, "ip4", "www.example.com"); err != nil {
			t.Fatal(err)
		}
	}), 1.0)
}

func BenchmarkLookup(b *testing.B) {
	r := &Resolver{Table: newTable(b)}
	for name, lookup := range map[string]lookups{"table": r, "NetResolver": r.NetResolver()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := lookup.LookupNetIP(b.Context(), "ip4", "www.example.com"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
