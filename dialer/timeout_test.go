package dialer_test

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// Timeout bounds each call at a gateway that stops answering at any stage, and a context that ends earlier still
// counts.
func TestTimeoutBoundsEachCall(t *testing.T) {
	for _, stage := range []testgw.Stage{testgw.StageMethod, testgw.StageReply} {
		d := behind(t, &testgw.Gateway{Misbehave: func(int) testgw.Fault { return testgw.Fault{Silent: stage} }})
		for _, o := range opening {
			d.Timeout = 20 * time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(patience, cancel)
			_, err := o.open(ctx, d, o.network, o.address)
			cancel()
			requireOp(t, err, o.op, o.network, o.address)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.True(t, err.(net.Error).Timeout())

			d.Timeout = time.Hour
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, err = o.open(ctx, d, o.network, o.address)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err = o.open(ctx, d, o.network, o.address)
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Zero(t, leases(d))
	}
}

// A connection that was made in time outlives the Timeout.
func TestConnectionOutlivesTheTimeout(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	d.Timeout = 500 * time.Millisecond // much longer than a dial takes
	stream, err := d.Dial("tcp", at(name, echo(t, loopback4)))
	require.NoError(t, err)
	defer stream.Close()
	answers := newResponder(t)
	packets, err := d.Dial("udp", at(name, answers.port))
	require.NoError(t, err)
	defer packets.Close()
	l, err := d.Listen(t.Context(), "tcp", "")
	require.NoError(t, err)
	defer l.Close()

	time.Sleep(d.Timeout + 100*time.Millisecond)
	echoes(t, stream)
	_, err = packets.Write([]byte("x"))
	require.NoError(t, err)
	near, far := come(t, l, loopback4)
	_, err = far.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(near, make([]byte, 1))
	require.NoError(t, err)
}

// A Direct dial is bounded by the shorter of Timeout and Net's own.
func TestDirectDialHasTheShorterTimeout(t *testing.T) {
	port := echo(t, loopback4)
	for _, tt := range []struct{ timeout, net, want time.Duration }{
		{0, 0, 0}, {time.Hour, 0, time.Hour}, {0, time.Hour, time.Hour}, {time.Hour, 2 * time.Hour, time.Hour}, {2 * time.Hour, time.Hour, time.Hour},
	} {
		d := behind(t, new(testgw.Gateway))
		d.Direct = func(string, string) bool { return true }
		d.Timeout = tt.timeout
		var left time.Duration
		d.Net = &net.Dialer{Timeout: tt.net, ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			if deadline, ok := ctx.Deadline(); ok {
				left = time.Until(deadline)
			}
			return nil
		}}
		c, err := d.DialContext(context.Background(), "tcp", at(loopback4, port))
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.InDelta(t, tt.want, left, float64(time.Minute), "%v", tt)
		require.Equal(t, tt.net, d.Net.Timeout, "Net is not changed")
	}
	d := behind(t, new(testgw.Gateway))
	d.Direct, d.Timeout = func(string, string) bool { return true }, time.Nanosecond
	_, err := d.Dial("tcp", at(loopback4, port))
	require.True(t, os.IsTimeout(err.(*net.OpError).Err), "%v", err)
}

// Close closes the Gateway's spare connections, not the connections that were dialed.
func TestCloseClosesTheSpares(t *testing.T) {
	g := new(testgw.Gateway)
	d := behind(t, g)
	d.Gateway.(*socks.Client).Spare = 2
	c, err := d.Dial("tcp", at(name, echo(t, loopback4)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return g.Sessions() == 3 }, patience, time.Millisecond)
	outer := &dialer.Dialer{Gateway: d, Table: d.Table}
	require.NoError(t, outer.Close())
	require.Eventually(t, func() bool { return g.Sessions() == 1 }, patience, time.Millisecond)
	echoes(t, c)
	require.NoError(t, c.Close())

	require.NoError(t, (&dialer.Dialer{Gateway: gatewayFunc{}}).Close(), "one that has no Close")
}
