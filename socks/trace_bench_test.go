//go:build !race

package socks_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// BenchmarkDial measures a whole dial and Close, over loopback with the gateway in the same process, and only the
// client's part of it, with a scripted gateway.
func BenchmarkDial(b *testing.B) {
	l := listen(b)
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	overLoopback := clientOf(b, &testgw.Gateway{Forgetful: true})
	inMemory := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
		return &scripted{answer: "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"}, nil
	})}
	for _, way := range []struct {
		name   string
		client *socks.Client
	}{{"loopback", overLoopback}, {"memory", inMemory}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := way.client.DialContext(b.Context(), "tcp", l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
		})
	}
}

// scripted is a connection to a gateway with a fixed answer.
type scripted struct {
	net.Conn
	answer string
}

func (s *scripted) Write(b []byte) (int, error) { return len(b), nil }
func (s *scripted) Close() error                { return nil }
func (s *scripted) RemoteAddr() net.Addr        { return new(net.TCPAddr) }
func (s *scripted) SetDeadline(time.Time) error { return nil }

func (s *scripted) Read(b []byte) (int, error) {
	if s.answer == "" {
		return 0, io.EOF
	}
	n := copy(b, s.answer)
	s.answer = s.answer[n:]
	return n, nil
}

// A Trace without hooks allocates nothing in a dial. This does not hold under the race detector, with which a
// sync.Pool drops items at random.
func TestTraceCostsNoAllocation(t *testing.T) {
	c := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(func(context.Context, string, string) (net.Conn, error) {
		return &scripted{answer: "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"}, nil
	})}
	dial := func(ctx context.Context) float64 {
		return testing.AllocsPerRun(100, func() {
			conn, err := c.DialContext(ctx, "tcp", "127.0.0.1:80")
			require.NoError(t, err)
			conn.Close()
		})
	}
	plain := dial(t.Context())
	require.Equal(t, plain, dial(socks.WithTrace(t.Context(), new(socks.Trace))))
}
