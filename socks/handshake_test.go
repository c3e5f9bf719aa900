package socks_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// writes is a connection to the gateway that records each write.
type writes struct {
	net.Conn
	mu  sync.Mutex
	all []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.all = append(w.all, string(b))
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// Each message is exactly one write, for gateways that take one read as one message.
func TestStepwiseIsOneWritePerMessage(t *testing.T) {
	g := &testgw.Gateway{
		Users:  map[string]string{"user": "pass"},
		Hosts:  map[string][]netip.Addr{"x": {loopback4}},
		Quirks: testgw.Quirks{OneRecv: true},
	}
	c := clientOf(t, g)
	c.Handshake = socks.HandshakeStepwise
	c.Auth = []socks.Auth{socks.UserPass("user", "pass"), socks.NoAuth}
	var conn *writes
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		conn = &writes{Conn: raw}
		return conn, err
	})
	l := listen(t)
	port := l.Addr().(*net.TCPAddr).Port
	stream, err := c.Dial("tcp", (&socks.Addr{Name: "x", Port: uint16(port)}).String())
	require.NoError(t, err)
	defer stream.Close()
	require.Equal(t, []string{
		"\x05\x02\x02\x00",
		"\x01\x04user\x04pass",
		"\x05\x01\x00\x03\x01x" + string([]byte{byte(port >> 8), byte(port)}),
	}, conn.all)
	require.Equal(t, "user", g.Requests()[0].User)
}

// The stream begins directly after the reply, however the answers are cut into packets and whatever follows them.
func TestStreamBeginsAfterTheReply(t *testing.T) {
	faults := map[string]testgw.Fault{
		"one segment":   {Join: true},
		"dripping":      {Drip: true},
		"joined, split": {Join: true, Split: 2 + 9},
	}
	const first, second = "220 ready\r\n", "and more"
	for name, way := range ways {
		for kind, fault := range faults {
			t.Run(name+" "+kind, func(t *testing.T) {
				c := way(t, &testgw.Gateway{Misbehave: func(int) testgw.Fault { return fault }})
				l := listen(t)
				greeted := make(chan error, 1)
				go func() { // ends with the connection, which is closed below
					far, err := l.Accept()
					if err == nil {
						_, err = far.Write([]byte(first))
						greeted <- err
						io.WriteString(far, second)
						far.Close()
					}
				}()
				conn, err := c.Dial("tcp", l.Addr().String())
				require.NoError(t, err)
				defer conn.Close()
				require.NoError(t, <-greeted)
				all, err := io.ReadAll(conn)
				require.NoError(t, err)
				require.Equal(t, first+second, string(all))

				bound, err := c.Listen(t.Context(), "tcp", "")
				require.NoError(t, err)
				defer bound.Close()
				far, err := net.Dial("tcp", bound.Addr().String())
				require.NoError(t, err)
				defer far.Close()
				_, err = far.Write([]byte(first + second))
				require.NoError(t, err)
				require.NoError(t, far.(*net.TCPConn).CloseWrite())
				came, err := bound.Accept()
				require.NoError(t, err)
				defer came.Close()
				all, err = io.ReadAll(came)
				require.NoError(t, err)
				require.Equal(t, first+second, string(all))
			})
		}
	}
}
