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

// Upstream is a DNS server that is reached through the gateway, over TCP (RFC 7766) or TLS (RFC 7858). Equal questions
// in flight are sent once. Four connections at most are kept, for ten seconds after their last answer, and each carries
// many queries at once. A truncated answer, or one to another question, is an error; records that do not answer the
// question are dropped.
//
// An Upstream is safe for concurrent use; do not change it after first use, nor copy it.
type Upstream struct {
	// Addr is the "host:port" of the DNS server, as the gateway sees it. It is required.
	Addr string

	// Dial connects to Addr; normally it is the DialContext of the dialer. Nil is an error, never a direct connection.
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

// call is one question in flight, for all callers of share that ask it.
type call struct {
	callers int // that wait; guarded by Upstream.mu
	cancel  context.CancelFunc

	done   chan struct{} // closed when answer and err are set
	answer *dns.Msg      // shared by the callers, so none may change it
	err    error
}

// Close closes the connections. Queries in flight fail. A later query connects again.
func (u *Upstream) Close() error {
	u.pool.close()
	return nil
}

// exchange sends one question and returns the answer, whatever its RCODE. The caller must not change the answer. An
// error is a temporary *net.DNSError that wraps its cause.
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

// share waits for the answer to a question. It sends the question unless it is in flight already. The question is
// cancelled when no caller waits any longer.
func (u *Upstream) share(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.mu.Lock()
	c := u.calls[q]
	if c == nil {
		c = u.start(ctx, q)
	}
	c.callers++
	u.mu.Unlock()
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if c.callers--; c.callers == 0 {
		c.cancel()
		u.forget(q, c) // a later caller sends it again
	}
	return nil, ctx.Err()
}

// start sends a question. The caller holds u.mu.
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
	go func() { // ends with the answer, at the timeout, or when no caller waits any longer
		defer cancel()
		c.answer, c.err = u.ask(ctx, q)
		u.mu.Lock()
		u.forget(q, c)
		u.mu.Unlock()
		close(c.done)
	}()
	return c
}

// forget makes the next caller of share send the question again. The caller holds u.mu.
func (u *Upstream) forget(q dns.Question, c *call) {
	if u.calls[q] == c {
		delete(u.calls, q)
	}
}

// ask sends a question over a connection of the pool, and returns the answer. If the server closes that connection, ask
// tries another, unless the connection was made for this question and has had no answer. If it carried other questions
// too, their queries may have cost the answer (a server that closes a connection with unread queries resets it), so that
// is forgiven once. So each attempt but the last two uses a connection that had an answer, or was made for another
// question.
func (u *Upstream) ask(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	forgiven := false
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
		made, alone := c.madeFor(q)
		if made && (alone || forgiven) {
			return nil, err
		}
		forgiven = forgiven || made
	}
}

// connect returns a connection to the server, with TLS if it is configured. ctx bounds the dial and the handshake.
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

// checkAnswer returns an error for a message that is no whole answer to the question.
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
