package resolver

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// upstreamTimeout bounds a query to an Upstream without a Timeout.
const upstreamTimeout = 5 * time.Second

// Upstream is a DNS server that is reached through the gateway, over TCP (RFC 7766) or TLS (RFC 7858).
// Each query has a connection of its own. Anything but a whole answer to the very question is an error.
//
// An Upstream is safe for concurrent use; do not change it after first use.
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
}

// exchange asks one question and returns the answer, whatever its RCODE. An error is a *net.DNSError,
// temporary, with its cause.
func (u *Upstream) exchange(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	timeout := u.Timeout
	if timeout == 0 {
		timeout = upstreamTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	answer, err := u.roundTrip(ctx, query)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // whatever the socket said
		}
		e := failure(name, err)
		return nil, &net.DNSError{Err: e.Err, Name: name, Server: u.Addr, IsTimeout: e.IsTimeout, IsTemporary: true, UnwrapErr: err}
	}
	return answer, nil
}

func (u *Upstream) roundTrip(ctx context.Context, query *dns.Msg) (*dns.Msg, error) {
	c, err := u.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(past) })
	defer stop()

	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(frame(packed)); err != nil {
		return nil, err
	}
	received, err := readFrame(c)
	if err != nil {
		return nil, err
	}
	answer := new(dns.Msg)
	if err := answer.Unpack(received); err != nil {
		return nil, fmt.Errorf("malformed answer: %w", err)
	}
	return answer, checkAnswer(query, answer)
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

// checkAnswer refuses what does not answer the query.
func checkAnswer(query, answer *dns.Msg) error {
	switch {
	case !answer.Response || answer.Id != query.Id || answer.Opcode != dns.OpcodeQuery:
		return errors.New("answer to something else")
	case answer.Truncated:
		return errors.New("truncated answer over TCP")
	case len(answer.Question) != 1:
		return fmt.Errorf("answer to %d questions", len(answer.Question))
	}
	asked, got := query.Question[0], answer.Question[0]
	if got.Qtype != asked.Qtype || got.Qclass != asked.Qclass || !strings.EqualFold(got.Name, asked.Name) {
		return errors.New("answer to another question")
	}
	return nil
}

// frame puts the length before a message (RFC 1035, section 4.2.2), so that both go in one write.
func frame(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg))), msg...)
}

// readFrame reads exactly one message.
func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, msg); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return msg, nil
}
