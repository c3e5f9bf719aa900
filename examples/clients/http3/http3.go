// The hook: Dial of http3.Transport, with a quic.Transport over ListenPacket. QUIC's packets go out by UDP
// ASSOCIATE to the name, and the answers come back from the fake address that QUIC knows the server by.
//
// That address comes from the resolver, as a *net.UDPAddr. quic-go takes no other on a PacketConn of package
// dialer: of what has ReadMsgUDP and the like it asserts that addresses are that, and panics for a *socks.Addr.
// (One of package socks has no such methods, and does take a *socks.Addr; it is slower.)

// Package http3 reaches an HTTP/3 server behind a gateway.
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/resolver"
)

// Client is an http.Client whose connections share one association. Close it after use.
type Client struct {
	http.Client
	packets net.PacketConn
	quic    *quic.Transport
	http3   *http3.Transport
}

// NewClient returns a client of HTTPS servers whose names the gateway knows.
func NewClient(ctx context.Context, d *dialer.Dialer, r *resolver.Resolver, config *tls.Config) (*Client, error) {
	packets, err := d.ListenPacket(ctx, "udp", "")
	if err != nil {
		return nil, err
	}
	c := &Client{packets: packets, quic: &quic.Transport{Conn: packets}}
	c.http3 = &http3.Transport{TLSClientConfig: config, Dial: func(ctx context.Context, address string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
		host, service, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		port, err := strconv.Atoi(service)
		if err != nil {
			return nil, err
		}
		ips, err := r.LookupIP(ctx, "ip4", host)
		if err != nil {
			return nil, err
		}
		return c.quic.DialEarly(ctx, &net.UDPAddr{IP: ips[0], Port: port}, t, q)
	}}
	c.Transport = c.http3
	return c, nil
}

// Close ends the connections and the association.
func (c *Client) Close() error {
	return errors.Join(c.http3.Close(), c.quic.Close(), c.packets.Close())
}
