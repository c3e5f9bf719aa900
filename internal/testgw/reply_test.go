package testgw

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDialErrorsBecomeReplies(t *testing.T) {
	closed := closedPort(t, ip4)
	fail := func(err error) *Gateway {
		return &Gateway{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	wrapped := func(errno syscall.Errno) *Gateway { return fail(&net.OpError{Op: "dial", Err: errno}) }
	for name, c := range map[string]struct {
		gateway *Gateway
		dst     string
		rep     byte
	}{
		"refused":             {&Gateway{}, at(closed), 5},
		"unknown name":        {&Gateway{}, atName("no.test", 80), 4},
		"name of no address":  {&Gateway{Hosts: map[string][]netip.Addr{"no.test": nil}}, atName("no.test", 80), 4},
		"empty name":          {&Gateway{}, atName("", 80), 4},
		"lookup fails":        {&Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("x") }}, atName("no.test", 80), 1},
		"lookup of no name":   {&Gateway{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{} }}, atName("no.test", 80), 4},
		"host unreachable":    {wrapped(syscall.EHOSTUNREACH), at(closed), 4},
		"network unreachable": {wrapped(syscall.ENETUNREACH), at(closed), 3},
		"family missing":      {wrapped(syscall.EADDRNOTAVAIL), at(closed), 3},
		"prohibited":          {wrapped(syscall.EACCES), at(closed), 2},
		"timeout":             {wrapped(syscall.ETIMEDOUT), at(closed), 6},
		"deadline":            {fail(context.DeadlineExceeded), at(closed), 6},
		"unsupported":         {fail(errors.ErrUnsupported), at(closed), 7},
		"anything else":       {fail(errors.New("x")), at(closed), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var outcome Outcome
			c.gateway.OnReply = func(_ Request, o Outcome) { outcome = o }
			r := dialRaw(t, Start(t, c.gateway))
			r.send(noAuth + connectTo(c.dst))
			r.expectEnd("\x05\x00\x05" + string([]byte{c.rep}) + "\x00\x01\x00\x00\x00\x00\x00\x00")
			require.Equal(t, c.rep, outcome.Reply)
			require.Equal(t, replies[c.rep], outcome.String())
		})
	}
}
