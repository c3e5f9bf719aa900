package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/socks"
)

// get sends the request and writes the response.
func get(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	s := newSteps(o.verbose, stderr)
	transport := &http.Transport{DialContext: dial(o, s), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, o.method, o.url.String(), nil)
	if err != nil {
		return usage(errMalformed)
	}
	answer, err := client.Do(request)
	if err != nil {
		return explain(err, o.url.Hostname(), s.reached())
	}
	defer answer.Body.Close()
	s.step("answer", "%s %s", answer.Proto, answer.Status)
	if o.fail && answer.StatusCode >= http.StatusBadRequest {
		return &failure{code: exitStatus, what: "the server answers", err: errors.New(answer.Status)}
	}
	if o.method == http.MethodHead {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s\r\n", answer.Proto, answer.Status)
		answer.Header.Write(&b)
		b.WriteString("\r\n")
		_, err := b.WriteTo(stdout)
		return err
	}
	n, err := io.Copy(stdout, answer.Body)
	s.step("body", "%d bytes", n)
	if err != nil {
		return explain(err, o.url.Hostname(), s.reached())
	}
	return nil
}

// dial returns a DialContext that does RFC 3089's two steps separately, so that both can be printed: it assigns an
// address to the name, and dials that address.
func dial(o options, s *steps) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		s.step("asked", "%s", host)
		if _, err := netip.ParseAddr(host); err != nil {
			fake, err := o.dialer.Table.Assign(family(o.network), host)
			if err != nil {
				return nil, err
			}
			s.step("fake", "%s stands for %s", fake, host)
			address = net.JoinHostPort(fake.String(), port)
		}
		c, err := o.dialer.DialContext(socks.WithTrace(ctx, s.trace()), o.network, address)
		if err != nil {
			return nil, err
		}
		by := "directly, by NO_PROXY"
		if _, ok := c.(*dialer.Conn); ok {
			by = "through the gateway"
		}
		s.step("connected", "to %s %s", c.RemoteAddr(), by)
		return c, nil
	}
}

// family returns the family of the address that stands for a name.
func family(network string) string {
	if network == "tcp6" {
		return "ip6"
	}
	return "ip4"
}
