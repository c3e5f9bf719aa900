package socks_test

import (
	"context"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// foreign is a context whose Done channel does not belong to package context. Some web frameworks have such contexts.
type foreign struct {
	context.Context
	done chan struct{}
}

func (c foreign) Done() <-chan struct{} { return c.done }

func (c foreign) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// endlessly is a context whose Done channel is hidden, although its values still tell the owner of the channel.
type endlessly struct{ context.Context }

func (endlessly) Done() <-chan struct{} { return nil }
func (endlessly) Err() error            { return nil }

// A request works under every implementation of a context, and uses no context after it has returned: package context
// watches a foreign Done channel in a goroutine, which may run after a request.
func TestRequestsUnderForeignContexts(t *testing.T) {
	c := clientOf(t, &testgw.Gateway{Dial: toSilence})
	fast := &socks.Client{Addr: c.Addr, FastOpen: true}
	bounded := &socks.Client{Addr: c.Addr, Timeout: time.Minute}
	unbounded := &socks.Client{Addr: c.Addr, Timeout: -1}
	const to = "name.example:80"
	type key struct{}
	cancelable, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, made := range map[string]func() context.Context{
		"a channel of its own": func() context.Context { return foreign{context.Background(), make(chan struct{})} },
		"a value around it": func() context.Context {
			return context.WithValue(foreign{context.Background(), make(chan struct{})}, key{}, 1)
		},
		"a channel that is hidden":  func() context.Context { return endlessly{cancelable} },
		"without cancel":            func() context.Context { return context.WithoutCancel(cancelable) },
		"a value in the background": func() context.Context { return context.WithValue(context.Background(), key{}, 1) },
	} {
		for range 20 {
			ctx := made()
			for what, request := range map[string]func() (io.Closer, error){
				"dial":              func() (io.Closer, error) { return c.DialContext(ctx, "tcp", to) },
				"dial by FastOpen":  func() (io.Closer, error) { return fast.DialContext(ctx, "tcp", to) },
				"dial with Timeout": func() (io.Closer, error) { return bounded.DialContext(ctx, "tcp", to) },
				"unbounded dial":    func() (io.Closer, error) { return unbounded.DialContext(ctx, "tcp", to) },
				"listen":            func() (io.Closer, error) { return c.Listen(ctx, "tcp", "127.0.0.1:0") },
				"associate":         func() (io.Closer, error) { return c.ListenPacket(ctx, "udp", "") },
			} {
				conn, err := request()
				require.NoError(t, err, "%s under %s", what, name)
				require.NoError(t, conn.Close())
			}
		}
	}
}

// The end of a foreign context ends a request with its error.
func TestEndOfAForeignContextEndsADial(t *testing.T) {
	c := &socks.Client{Addr: unaccepted(t)}
	ctx := foreign{context.Background(), make(chan struct{})}
	time.AfterFunc(10*time.Millisecond, func() { close(ctx.done) })
	_, err := c.DialContext(ctx, "tcp", "name.example:80")
	require.ErrorIs(t, err, context.Canceled)
}

// A Client works in synctest bubbles and outside in turn, and its Timeout bounds each dial.
func TestClientIsBoundedInsideAndOutsideOfABubble(t *testing.T) {
	c := &socks.Client{Addr: unaccepted(t), Timeout: 300 * time.Millisecond}
	dial := func(t *testing.T) {
		_, err := c.Dial("tcp", "name.example:80")
		require.ErrorIs(t, err, socks.ErrGateway)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	dial(t)
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			dial(t)
			time.Sleep(time.Minute) // in the bubble's time
		})
	}
	dial(t)
}
