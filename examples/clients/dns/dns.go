// The hook: dns.Conn over an existing connection, by UDP ASSOCIATE, and by CONNECT for an answer
// that is too long for UDP. dns.Client's own Dialer is a *net.Dialer, which cannot use a gateway.

// Package dns asks a DNS server behind a gateway.
package dns

import (
	"context"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/dialer"
)

// Exchange asks the server at address, "host:port", whose host is a name that the gateway knows.
func Exchange(ctx context.Context, d *dialer.Dialer, address string, question *dns.Msg) (*dns.Msg, error) {
	answer, err := exchange(ctx, d, "udp", address, question)
	if err == nil && answer.Truncated {
		return exchange(ctx, d, "tcp", address, question)
	}
	return answer, err
}

func exchange(ctx context.Context, d *dialer.Dialer, network, address string, question *dns.Msg) (*dns.Msg, error) {
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer, _, err := new(dns.Client).ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: conn})
	return answer, err
}
