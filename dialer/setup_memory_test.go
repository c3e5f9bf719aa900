package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// memory is a gateway in memory, for tests of time. Its associations send to no destination.
type memory struct {
	mu      sync.Mutex
	granted []*memoryConn
	refusal error         // of later requests; nil: they are granted
	hold    chan struct{} // later requests wait for it; nil: they do not wait
}

func (m *memory) ListenPacket(ctx context.Context) (net.PacketConn, error) {
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refusal != nil {
		return nil, m.refusal
	}
	near, far := net.Pipe()
	c := &memoryConn{Conn: near, far: far, sent: make(chan string, 100)}
	m.granted = append(m.granted, c)
	return c, nil
}

func (m *memory) behave(refusal error, hold chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusal, m.hold = refusal, hold
}

// last returns the association that m granted last, and the number that it has granted.
func (m *memory) last() (*memoryConn, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.granted)
	return m.granted[n-1], n
}

// answered sends a datagram of p to host, lets its new association deliver an answer, and returns the association.
func (m *memory) answered(t testing.TB, p *dialer.PacketConn, host string) *memoryConn {
	write(t, p, "x", named(host))
	a, _ := m.last()
	go a.answer(t, 9, "answer") // ends when it is read
	read(t, p)
	return a
}

// memoryConn is an association of a memory. Its datagrams come from ports of 192.0.2.1.
type memoryConn struct {
	net.Conn
	far  net.Conn
	sent chan string // the destinations of datagrams

	mu    sync.Mutex
	cause error // why the gateway ended it
}

var errGatewayGone = fmt.Errorf("%w: it is gone", socks.ErrGateway)

// memoryEnd matches net.ErrClosed and has a cause, like the errors of package socks.
type memoryEnd struct{ cause error }

func (e memoryEnd) Error() string        { return e.cause.Error() }
func (e memoryEnd) Unwrap() error        { return e.cause }
func (e memoryEnd) Is(target error) bool { return target == net.ErrClosed }

func (c *memoryConn) end(cause error) {
	c.mu.Lock()
	c.cause = cause
	c.mu.Unlock()
	c.Conn.Close()
}

func (c *memoryConn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		return net.ErrClosed
	}
	return memoryEnd{c.cause}
}

func (c *memoryConn) answer(t testing.TB, port int, text string) {
	_, err := fmt.Fprint(c.far, port, " ", text)
	require.NoError(t, err)
}

func (c *memoryConn) ReadFrom(b []byte) (int, net.Addr, error) {
	all := make([]byte, 100)
	n, err := c.Read(all)
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return 0, nil, err
		}
		return 0, nil, c.ended()
	}
	port, text, _ := strings.Cut(string(all[:n]), " ")
	return copy(b, text), plainAddr("192.0.2.1:" + port), nil
}

func (c *memoryConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	gone := c.cause != nil
	c.mu.Unlock()
	if gone {
		return 0, c.ended()
	}
	c.sent <- to.String()
	return len(b), nil
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	if c.Conn.SetReadDeadline(t) != nil {
		return c.ended()
	}
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	if c.Conn.SetWriteDeadline(t) != nil {
		return c.ended()
	}
	return nil
}

func (c *memoryConn) Close() error {
	c.far.Close()
	return c.Conn.Close()
}

// behindMemory returns a PacketConn with the gateway m.
func behindMemory(t testing.TB, m *memory) (*dialer.PacketConn, *dialer.Dialer) {
	d := &dialer.Dialer{
		Table:   newTable(t, mapping.Config{}),
		Gateway: gatewayFunc{listenPacket: m.ListenPacket},
	}
	p, err := d.ListenPacket(t.Context(), "udp", "")
	require.NoError(t, err)
	return p.(*dialer.PacketConn), d
}

// named returns name as a destination.
func named(host string) net.Addr { return &socks.Addr{Net: "udp", Name: host, Port: 9} }

var realAddr = netip.MustParseAddrPort("192.0.2.7:9")
