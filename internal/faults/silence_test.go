package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// TestSilenceEndsAtItsBound makes a gateway fall silent after each byte, in a synctest bubble, so the duration of a request is
// exact. The gateway is in memory, so ASSOCIATE is not tested here.
func TestSilenceEndsAtItsBound(t *testing.T) {
	cells := 0
	for _, r := range requests {
		if r.name == "ASSOCIATE" {
			continue
		}
		for _, credentials := range []bool{false, true} {
			for _, h := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
				answers := r.answers(credentials)
				total := 0
				for _, a := range answers {
					total += a.length
				}
				for n := range total {
					for _, s := range silences {
						cells++
						synctest.Test(t, func(t *testing.T) {
							s := silence{r, credentials, h, n, s}
							s.run(t)
						})
					}
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}

// kind says which connections fall silent, and what bounds the request.
type kind string

const (
	always    kind = "every connection, within a context"
	bounded   kind = "every connection, within the Client's Timeout"
	firstOnly kind = "the first connection"
)

var silences = []kind{always, bounded, firstOnly}

// silence is a cell of TestSilenceEndsAtItsBound.
type silence struct {
	request     request
	credentials bool
	handshake   socks.Handshake
	after       int
	kind        kind
}

const silenceLimit = 3 * time.Second

func (s silence) run(t *testing.T) {
	name := fmt.Sprintf("%s, credentials %t, handshake %d, %s silent after %d", s.request.name, s.credentials, s.handshake, s.kind, s.after)
	g := &testgw.Gateway{Misbehave: func(conn int) testgw.Fault {
		if conn > 0 && s.kind == firstOnly {
			return testgw.Fault{}
		}
		return silentFrom(s.after)
	}}
	client := &socks.Client{Addr: "gateway.example:1080", Handshake: s.handshake}
	if s.credentials {
		g.Users = map[string]string{secretUser: secretPassword}
		client.Auth = []socks.Auth{socks.UserPass(secretUser, secretPassword)}
	}
	reach(g)
	hall := make(hall)
	require.NoError(t, g.Serve(hall))
	defer g.Close()
	client.Forward = dialFunc(hall.dial)
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), silenceLimit)
	defer cancel()
	first := s.after < firstReply(s.request.answers(s.credentials))
	if s.kind == bounded {
		client.Timeout = silenceLimit / 3
	}

	begun := time.Now()
	heard, err := s.request.do(ctx, &dialer.Dialer{Gateway: client, Table: table}, "80", user{})
	took := time.Since(begun)
	switch {
	case s.kind == firstOnly && s.handshake == socks.HandshakeAuto && first:
		require.NoError(t, whole(heard, err), "%s: %v", name, err)
		require.Equal(t, 250*time.Millisecond, took, name)
	case s.kind == bounded && first:
		require.NoError(t, timesOut(heard, err), "%s: %v", name, err)
		require.Equal(t, silenceLimit/3, took, name)
		require.Equal(t, s.after < letIn(s.credentials), errors.Is(err, socks.ErrGateway), "%s: ErrGateway only until the gateway has let the dial in: %v", name, err)
	default:
		require.NoError(t, timesOut(heard, err), "%s: %v", name, err)
		require.Equal(t, silenceLimit, took, name)
	}
	for e := range table.All() {
		require.Zero(t, e.Leases, name)
	}
	require.Zero(t, client.Stats().Open, name)
}

// firstReply returns the number of bytes up to the end of the first reply.
func firstReply(answers []answer) (n int) {
	for _, a := range answers {
		if a.stage <= testgw.StageReply {
			n += a.length
		}
	}
	return n
}

// letIn returns the number of bytes before the request's reply.
func letIn(credentials bool) int {
	if credentials {
		return 4
	}
	return 2
}

// hall is a listener in memory that accepts the connections that are sent to it. It must be closed once.
type hall chan net.Conn

func (h hall) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := pair()
	select {
	case h <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pair returns a connection in memory. Writes to the near side do not wait for a read, as on a socket: the gateway may
// answer before it has read everything.
func pair() (near, far net.Conn) {
	near, a := net.Pipe()
	b, far := net.Pipe()
	up := make(chan []byte, 64)
	go func() { // ends with near, or when far has ended
		defer close(up)
		for {
			buf := make([]byte, 512)
			n, err := a.Read(buf)
			up <- buf[:n]
			if err != nil {
				return
			}
		}
	}()
	go func() { // ends with up
		defer b.Close()
		for p := range up {
			_, _ = b.Write(p)
		}
	}()
	go func() { // ends with far, or when near has ended
		defer a.Close()
		_, _ = io.Copy(a, b)
	}()
	return near, far
}

func (h hall) Accept() (net.Conn, error) {
	c, ok := <-h
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (h hall) Close() error   { close(h); return nil }
func (h hall) Addr() net.Addr { return peerAddr }
