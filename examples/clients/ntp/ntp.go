// The hook: Dialer of ntp.QueryOptions, which gets the name. It has no context, so a closure passes the query's on.

// Package ntp asks an NTP server behind a gateway with beevik/ntp.
package ntp

import (
	"context"
	"net"

	"github.com/beevik/ntp"

	"github.com/sockslib/sockslib/dialer"
)

// Query asks the server at address, "host:port", whose host is a name that the gateway knows. The context limits
// the making of the association, Timeout of the options the wait for the answer.
func Query(ctx context.Context, d *dialer.Dialer, address string, options ntp.QueryOptions) (*ntp.Response, error) {
	options.Dialer = func(_, remote string) (net.Conn, error) { return d.DialContext(ctx, "udp", remote) }
	return ntp.QueryWithOptions(address, options)
}
