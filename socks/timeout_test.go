package socks_test

import (
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// eachSilence calls check for each command, authentication, TLS or not, and byte after which the gateway falls
// silent. The Client has no Timeout yet. asked is true if the gateway has let the Client in.
func eachSilence(t *testing.T, check func(t *testing.T, c *socks.Client, request func(context.Context, *socks.Client) error, asked bool)) {
	server, roots := certified()
	for command, request := range commands {
		for name, cred := range credentials {
			for _, secure := range []bool{false, true} {
				for after := range cred.sends + replyLen {
					synctest.Test(t, func(t *testing.T) {
						c := &socks.Client{Addr: "127.0.0.1:1080", Auth: cred.auth}
						method := byte(wire.MethodNone)
						if cred.users != nil {
							method = wire.MethodUserPass
						}
						if secure {
							c.TLS = roots
							c.Forward = silentAfter(after, method, server)
						} else {
							c.Forward = silentAfter(after, method, nil)
						}
						t.Logf("%s, %s, TLS %v, silent after %d bytes", command, name, secure, after)
						check(t, c, request, after >= cred.sends)
					})
				}
			}
		}
	}
}

// A request ends exactly at the context's deadline, at whatever byte the gateway has fallen silent.
func TestContextEndsARequestAtEachByte(t *testing.T) {
	eachSilence(t, func(t *testing.T, c *socks.Client, request func(context.Context, *socks.Client) error, _ bool) {
		c.Timeout = -1
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := request(ctx, c)
		require.Equal(t, time.Minute, time.Since(begun))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, err.(net.Error).Timeout())
		require.NotErrorIs(t, err, socks.ErrGateway)

		ctx, cancel = context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Hour, cancel)
		defer stop.Stop()
		begun = time.Now()
		err = request(ctx, c)
		require.Equal(t, time.Hour, time.Since(begun))
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, err.(net.Error).Timeout())
	})
}

// A request ends exactly at the Client's Timeout. The error matches ErrGateway if the request was not sent yet;
// otherwise it does not, because the destination may be slow.
func TestTimeoutEndsARequestAtEachByte(t *testing.T) {
	eachSilence(t, func(t *testing.T, c *socks.Client, request func(context.Context, *socks.Client) error, asked bool) {
		c.Timeout = 7 * time.Second
		c.Handshake = socks.HandshakeStepwise // otherwise the request is sent with the greeting
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := request(ctx, c)
		require.Equal(t, c.Timeout, time.Since(begun))
		if asked {
			requireClasses(t, err, os.ErrDeadlineExceeded)
		} else {
			requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
		}
		require.True(t, err.(net.Error).Timeout())
	})
}

// The Timeout also bounds the time to connect to a gateway.
func TestTimeoutEndsConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: time.Second, Forward: dialFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})}
		_, err := c.Dial("tcp", "name.example:80")
		requireClasses(t, err, os.ErrDeadlineExceeded, socks.ErrGateway)
		require.True(t, err.(net.Error).Timeout())

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = c.DialContext(ctx, "tcp", "name.example:80")
		requireClasses(t, err, context.DeadlineExceeded)
	})
}

// A context that has already ended sends nothing.
func TestEndedContextSendsNothing(t *testing.T) {
	c := &socks.Client{Addr: "127.0.0.1:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialed")
		return nil, net.ErrClosed
	})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, request := range commands {
		require.ErrorIs(t, request(ctx, c), context.Canceled)
	}
}

// The context of a request has no effect on its result.
func TestContextHasNoEffectOnTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &socks.Client{Addr: "127.0.0.1:1080", Timeout: time.Second, Forward: silentAfter(1<<20, wire.MethodNone, nil)}
		ctx, cancel := context.WithCancel(t.Context())
		conn, err := c.DialContext(ctx, "tcp", "name.example:80")
		require.NoError(t, err)
		defer conn.Close()
		cancel()
		time.Sleep(time.Hour) // in the bubble's time
		synctest.Wait()
		_, err = conn.Write([]byte("still there"))
		require.NoError(t, err)
	})
}
