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

// Upstream is a DNS server that is reached through the gateway, over TCP (RFC 7766) or TLS (RFC 7858). A question that is in
// flight is not sent again. At most four connections are kept, for ten seconds after their last answer; each carries many
// queries at once. A truncated answer, or an answer to another question, is an error. Records that do not answer the
// question are dropped.
//
// An Upstream is safe for concurrent use; do not change it after first use, nor copy it.
type Upstream struct {
	// Addr is the "host:port" of the DNS server, as the gateway sees it. It is required.
	Addr string

	// Dial connects to Addr; it is normally the DialContext of a dialer.Dialer. It is required: without it every query is
	// an error.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS is the configuration of DNS over TLS; an empty ServerName means the host of Addr. Nil means plain TCP.
	TLS *tls.Config

	// Timeout bounds a query, the dial included. Zero means 5 seconds.
	Timeout time.Duration

	mu    sync.Mutex
	calls map[dns.Question]*call // in flight
	pool  pool
}

// call is one question in flight, shared by all callers of share that ask it.
type call struct {
	callers int // number of callers that wait; guarded by Upstream.mu
	cancel  context.CancelFunc

	done   chan struct{} // closed when answer and err are set
	answer *dns.Msg      // the callers must not change it
	err    error
}

// Close closes the connections, so queries in flight may fail. A later query connects again. Close returns nil.
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
			err = ctx.Err() // and not the error of the socket
		}
		e := failure(name, err)
		return nil, &net.DNSError{Err: e.Err, Name: name, Server: u.Addr, IsTimeout: e.IsTimeout, IsTemporary: true, UnwrapErr: err}
	}
	return answer, nil
}

// share waits for the answer to a question. It sends the question unless it is in flight already. When no caller waits for
// the answer any longer, the question is cancelled.
func (u *Upstream) share(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.mu.Lock()
	c := u.calls[q]
	if c == nil {
		values := &callerValues{Context: context.Background(), caller: ctx}
		defer values.end()
		c = u.start(values, q)
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
		u.forget(q, c)
	}
	return nil, ctx.Err()
}

// callerValues is the context of a question: it has the values of the caller that sends it, until that caller returns and
// may use its context for something else. It has neither a deadline nor a Done channel. It is safe for concurrent use.
type callerValues struct {
	context.Context
	mu     sync.Mutex      // held while caller is used
	caller context.Context // nil when the caller has returned
}

// Value returns a value of the caller's context, or nil when the caller has returned.
func (v *callerValues) Value(key any) any {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.caller == nil {
		return nil
	}
	return v.caller.Value(key)
}

// end ends the use of the caller's context.
func (v *callerValues) end() {
	v.mu.Lock()
	v.caller = nil
	v.mu.Unlock()
}

// start sends a question, bounded by the timeout. The caller holds u.mu.
func (u *Upstream) start(ctx context.Context, q dns.Question) *call {
	timeout := u.Timeout
	if timeout == 0 {
		timeout = upstreamTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
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

// forget removes a call, so that the next caller of share sends the question again. The caller holds u.mu.
func (u *Upstream) forget(q dns.Question, c *call) {
	if u.calls[q] == c {
		delete(u.calls, q)
	}
}

// ask sends a question over a connection of the pool, and returns the answer. If the connection ends before the answer,
// the next step depends on the connection:
//
//	the connection was not made for q, or has had an answer   ask tries another: an old connection may end at any time
//	it was made for q, has had no answer, and carried q only  ask fails: the server does not answer q
//	it was made for q, has had no answer, and carried others  ask tries another once: a server that closes a connection
//	                                                          with unread queries resets it, which may lose the answer
//	it ended before it carried any question                   likewise
func (u *Upstream) ask(ctx context.Context, q dns.Question) (*dns.Msg, error) {
	retried := false // after a connection of the last two rows
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
		if made && (alone || retried) {
			return nil, err
		}
		retried = retried || made
	}
}

// connect returns a connection to the server, with TLS if it is configured. ctx bounds the dial and the handshake.
func (u *Upstream) connect(ctx context.Context) (net.Conn, error) {
	if u.Dial == nil {
		return nil, errNoDial
	}
	c, err := u.Dial(ctx, "tcp", u.Addr)
	if err == nil && c == nil {
		err = errNoConn
	}
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

// checkAnswer returns an error for a message that is not a complete answer to the question.
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
