package resolver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// upstreamTimeout bounds a query to an Upstream without a Timeout.
const upstreamTimeout = 5 * time.Second

// Upstream is a DNS server that is reached through the gateway, over TCP (RFC 7766) or TLS (RFC 7858). Equal
// questions that are asked at the same time go out once. A few connections, four at most, are kept for ten seconds
// after their last answer, and each carries many queries at once. Anything but a whole answer to the very question is
// an error; records that do not answer it are dropped.
//
// An Upstream is safe for concurrent use; do not change it after first use, nor copy it.
type Upstream struct {
	// Addr is the "host:port" of the DNS server, as the gateway sees it. It is required.
	Addr string

	// Dial reaches Addr; normally it is the DialContext of the dialer. Nil is an error, never a direct
	// connection.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS is the configuration of DNS over TLS; an empty ServerName is the host of Addr. Nil means
	// plain TCP.
	TLS *tls.Config

	// Timeout bounds a query, the dial included. Zero means 5 seconds.
	Timeout time.Duration

	mu    sync.Mutex
	calls map[dns.Question]*call // in flight
	pool  pool
}

// call is one question in flight, for all who ask it.
type call struct {
	asking int // guarded by Upstream.mu
	cancel context.CancelFunc

	done   chan struct{} // closed when what follows is there
	answer *dns.Msg      // shared: nobody changes it
	err    error
}

// Close closes the connections that are kept. Queries in flight fail. A later query connects again.
func (u *Upstream) Close() error {
	u.pool.close()
	return nil
}

// exchange asks one question and returns the answer, whatever its RCODE, which is not to be changed. An error is a
// *net.DNSError, temporary, with its cause.
func (u *Upstream) exchange(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	answer, err := u.share(ctx, dns.Question{Name: strings.ToLower(dns.Fqdn(name)), Qtype: qtype, Qclass: dns.ClassINET})
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // whatever the socket said
		}
		e := failure(name, err)
		return nil, &net.DNSError{Err: e.Err, Name: name, Server: u.Addr, IsTimeout: e.IsTimeout, IsTemporary: true, UnwrapErr: err}
	}
	return answer, nil
}

// share waits for the answer to a question, which is asked unless somebody asks it already. It is given up when all
// who wait have.
func (u *Upstream) share(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.mu.Lock()
	c := u.calls[q]
	if c == nil {
		c = u.start(ctx, q)
	}
	c.asking++
	u.mu.Unlock()
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.asking--; c.asking == 0 {
		c.cancel()
		u.forget(q, c) // whoever asks from now on asks anew
	}
	return nil, ctx.Err()
}

// start asks a question. The caller holds u.mu.
func (u *Upstream) start(ctx context.Context, q dns.Question) *call {
	timeout := u.Timeout
	if timeout == 0 {
		timeout = upstreamTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	c := &call{cancel: cancel, done: make(chan struct{})}
	if u.calls == nil {
		u.calls = map[dns.Question]*call{}
	}
	u.calls[q] = c
	go func() { // ends with the answer, the timeout, or when nobody waits any more
		defer cancel()
		c.answer, c.err = u.ask(ctx, q)
		u.mu.Lock()
		u.forget(q, c)
		u.mu.Unlock()
		close(c.done)
	}()
	return c
}

// forget lets the next one who asks a question begin anew. The caller holds u.mu.
func (u *Upstream) forget(q dns.Question, c *call) {
	if u.calls[q] == c {
		delete(u.calls, q)
	}
}

// ask sends a question over a connection of the pool. If the server closes one that others use, the question goes
// over another. That ends: each such connection has had an answer, or a question that was its first and has failed.
func (u *Upstream) ask(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	for {
		c, err := u.pool.get(ctx, u.connect)
		if err != nil {
			return nil, err
		}
		answer, err := c.exchange(ctx, q)
		switch {
		case err == nil:
			return pick(answer)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, errConnEnded):
			return nil, err
		}
		u.pool.drop(c)
		if c.madeFor(q) {
			return nil, err
		}
	}
}

// connect reaches the server. The TLS handshake ends with ctx.
func (u *Upstream) connect(ctx context.Context) (net.Conn, error) {
	if u.Dial == nil {
		return nil, errNoDial
	}
	c, err := u.Dial(ctx, "tcp", u.Addr)
	if err != nil || u.TLS == nil {
		return c, err
	}
	config := u.TLS.Clone()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(u.Addr)
		if err != nil {
			c.Close()
			return nil, err
		}
		config.ServerName = host
	}
	secured := tls.Client(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secured, nil
}

// checkAnswer refuses what does not answer the question.
func checkAnswer(asked dns.Question, answer *dns.Msg) error {
	switch {
	case !answer.Response || answer.Opcode != dns.OpcodeQuery:
		return errors.New("answer to something else")
	case answer.Truncated:
		return errors.New("truncated answer over TCP")
	case len(answer.Question) != 1:
		return fmt.Errorf("answer to %d questions", len(answer.Question))
	}
	got := answer.Question[0]
	if got.Qtype != asked.Qtype || got.Qclass != asked.Qclass || !strings.EqualFold(got.Name, asked.Name) {
		return errors.New("answer to another question")
	}
	return nil
}
