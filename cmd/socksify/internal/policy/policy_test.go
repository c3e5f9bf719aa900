package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

func TestErrnoTellsWhatFailed(t *testing.T) {
	wrap := func(err error) error { return &net.OpError{Op: "dial", Err: fmt.Errorf("around: %w", err)} }
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{socks.ErrGeneralFailure, syscall.ECONNREFUSED},
		{socks.ErrNotAllowed, syscall.EACCES},
		{socks.ErrNetworkUnreachable, syscall.ENETUNREACH},
		{socks.ErrHostUnreachable, syscall.EHOSTUNREACH},
		{socks.ErrConnectionRefused, syscall.ECONNREFUSED},
		{socks.ErrTTLExpired, syscall.ETIMEDOUT},
		{socks.ErrCommandNotSupported, syscall.ECONNREFUSED},
		{mapping.ErrStale, syscall.EHOSTUNREACH},
		{ErrRefused, syscall.ENETUNREACH},
		{context.DeadlineExceeded, syscall.ETIMEDOUT},
		{errors.Join(socks.ErrGateway, syscall.ENETUNREACH), syscall.ECONNREFUSED}, // the gateway is unreachable, not the destination
		{errors.Join(socks.ErrGateway, context.DeadlineExceeded), syscall.ETIMEDOUT},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, syscall.EHOSTUNREACH},
		{syscall.ECONNREFUSED, syscall.ECONNREFUSED},
		{errors.New("whatever"), syscall.ECONNREFUSED},
	} {
		require.Equal(t, c.want, Errno(c.err), "%v", c.err)
		require.Equal(t, c.want, Errno(wrap(c.err)), "wrapped: %v", c.err)
	}
	require.True(t, TTLExpired(wrap(socks.ErrTTLExpired)))
	require.False(t, TTLExpired(context.DeadlineExceeded))
}

func TestDestinationsAreNamedDirectOrRefused(t *testing.T) {
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	p := &Policy{
		Dialer: &dialer.Dialer{Table: table, Direct: func(_, address string) bool { return address == "direct.test:80" || address == "192.0.2.7:80" }},
		Own:    []netip.Addr{netip.MustParseAddr("198.19.255.53")},
	}
	fake, err := table.Assign("ip4", "www.test")
	require.NoError(t, err)
	direct, err := table.Assign("ip6", "direct.test")
	require.NoError(t, err)
	at := func(a netip.Addr) Destination { return p.Destination("tcp", netip.AddrPortFrom(a, 80)) }

	d := at(fake)
	require.Equal(t, "www.test:80", d.String())
	require.False(t, d.Direct)
	require.NoError(t, d.Refuse)
	require.True(t, at(direct).Direct)
	require.True(t, at(netip.MustParseAddr("192.0.2.7")).Direct)
	require.True(t, at(netip.MustParseAddr("::ffff:192.0.2.7")).Direct)
	require.Equal(t, "192.0.2.1:80", at(netip.MustParseAddr("192.0.2.1")).String())
	require.ErrorIs(t, at(fake.Next().Next().Next()).Refuse, mapping.ErrStale)
	for _, a := range []string{
		"127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "169.254.1.1", "fe80::1", "255.255.255.255",
		"198.19.255.53", "::ffff:127.0.0.1", "fe80::1%eth0",
	} {
		d := at(netip.MustParseAddr(a))
		require.ErrorIs(t, d.Refuse, ErrRefused, a)
		require.ErrorIs(t, d.Refuse, syscall.ENETUNREACH, a)
		_, err := p.Dial(t.Context(), "tcp", d)
		require.ErrorIs(t, err, ErrRefused)
	}
}

func TestLogWritesOneLinePerEvent(t *testing.T) {
	var none *Log
	none.Printf("nothing")
	none.Dialed("tcp", Destination{}, "", time.Now(), nil)
	none.Ended("tcp", Destination{}, "", time.Now(), 1, 2)
	var b bytes.Buffer
	l := NewLog(&b, false)
	d := Destination{Name: "www.test", Addr: netip.MustParseAddrPort("240.0.0.1:80")}
	l.Dialed("tcp", d, "curl[1]: ", time.Now(), socks.ErrHostUnreachable)
	l.Ended("tcp", d, "", time.Now(), 1, 2)
	_, err := l.Write([]byte("a line\n"))
	require.NoError(t, err)
	require.Contains(t, b.String(), "socksify: curl[1]: tcp www.test:80 → host unreachable")
	require.Contains(t, b.String(), "socksify: tcp www.test:80 ended: 1 bytes sent, 2 received")
	require.Contains(t, b.String(), "socksify: a line\n")
}
