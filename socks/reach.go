package socks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// reach connects to the gateway, with TLS if the Client has it, and calls the hook GatewayConnected unless the
// connection is deferred.
func (h *handshake) reach(ctx context.Context) error {
	h.begun = time.Now()
	err := h.connect(ctx)
	if h.deferred {
		return err // the method connected calls the hook
	}
	h.took = time.Since(h.begun)
	h.hooks.gatewayConnected(h.client, h.took, err)
	return err
}

// connect sets h.raw to the transport, and h.conn to the connection on which the greeting is sent.
func (h *handshake) connect(ctx context.Context) (err error) {
	c := h.client
	if h.fastOpen {
		h.raw, err = fastOpenDialer.DialContext(limited(ctx, h.bounds.letIn, &h.dialing), c.network(), c.Addr)
	} else {
		h.raw, err = c.dialTransport(ctx, h.bounds.letIn, &h.dialing, c.network(), c.Addr)
	}
	h.dialing = deadlineContext{}
	switch {
	case err != nil && isLocal(err):
		return err
	case err != nil:
		return gatewayFailed("gateway unreachable", err)
	}
	h.deferred = h.fastOpen && synStateOf(h.raw).connecting
	if !h.arm() && c.Handshake == HandshakeAuto {
		h.pipelined, h.impatient = nil, false // without deadlines, silence cannot be noticed
	}
	if c.TLS != nil {
		return h.secure(ctx)
	}
	h.conn = h.raw
	return nil
}

// secure performs the TLS handshake on the transport, and sets h.conn.
func (h *handshake) secure(ctx context.Context) error {
	config := h.client.TLS
	switch unix := h.client.network() == "unix"; {
	case config.ServerName != "", unix && config.InsecureSkipVerify:
	case unix:
		return gatewayFailed("TLS", errors.New("a ServerName is needed for a unix socket"))
	default:
		host, _, err := net.SplitHostPort(h.client.Addr)
		if err != nil {
			return gatewayFailed("TLS", err)
		}
		config = config.Clone()
		config.ServerName = host // sent as SNI, even with InsecureSkipVerify
	}
	conn := newTLSConn(h.raw, config)
	err := h.noteConnected(conn.HandshakeContext(ctx))
	switch {
	case h.unreached:
		return err
	case err != nil:
		return gatewayFailed("TLS", err)
	}
	h.conn = conn
	return nil
}

// directDialer reaches gateways and relays of a Client without a Forward. It does not use net.DefaultResolver,
// because the application may have replaced it by a resolver that returns fake addresses.
var directDialer = net.Dialer{Resolver: &net.Resolver{}}

// dialTransport connects to the gateway or its relay, by the given time unless it is zero. It may use room until it
// returns.
func (c *Client) dialTransport(ctx context.Context, by time.Time, room *deadlineContext, network, address string) (conn net.Conn, err error) {
	if c.Forward == nil && (network == "unix" || isLiteral(address)) {
		return directDialer.DialContext(limited(ctx, by, room), network, address) // without a lookup, a Deadline is enough
	}
	bounded, cancel := ctx, func() {}
	if !by.IsZero() {
		bounded, cancel = context.WithDeadline(ctx, by)
	}
	defer cancel()
	if c.Forward != nil {
		conn, err = c.Forward.DialContext(bounded, network, address)
	} else {
		conn, err = directDialer.DialContext(bounded, network, address)
	}
	if err != nil && contextErr(bounded) != nil && contextErr(ctx) == nil {
		err = os.ErrDeadlineExceeded
	}
	if err == nil && conn == nil {
		err = errors.New("the Forward returned no connection")
	}
	return conn, err
}

func isLiteral(address string) bool {
	_, err := netip.ParseAddrPort(address)
	return err == nil
}
