package dialer

import (
	"context"
	"net"
	"strings"
	"syscall"

	"github.com/sockslib/sockslib/socks"
)

// dialDirect dials to without the gateway.
func (d *Dialer) dialDirect(ctx context.Context, network string, to socks.Addr) (net.Conn, error) {
	if strings.HasSuffix(to.Name, ".localhost") {
		to.Name = "localhost" // a DNS server could map the name elsewhere
	}
	return d.direct().DialContext(ctx, network, to.String())
}

// direct returns a copy of Net that never dials a fake address. Its default resolver is not net.DefaultResolver,
// which the application may have replaced by one that answers with fakes.
func (d *Dialer) direct() *net.Dialer {
	var n net.Dialer
	if d.Net != nil {
		n = *d.Net
	}
	if n.Resolver == nil {
		n.Resolver = new(net.Resolver)
	}
	if d.Timeout > 0 && (n.Timeout == 0 || d.Timeout < n.Timeout) {
		n.Timeout = d.Timeout
	}
	plain, withContext := n.Control, n.ControlContext
	n.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		if err := d.Control(network, address, c); err != nil {
			return err
		}
		switch { // package net calls only ControlContext if both are set
		case withContext != nil:
			return withContext(ctx, network, address, c)
		case plain != nil:
			return plain(network, address, c)
		}
		return nil
	}
	return &n
}
