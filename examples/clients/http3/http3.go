// The hook: Dial of http3.Transport, with a quic.Transport over ListenPacket. QUIC's packets go out by UDP
// ASSOCIATE to the name, and the answers come back from the fake address that QUIC knows the server by.
//
// That address comes from ResolveUDPAddr, or from a lookup by the resolver, as a *net.UDPAddr. Give quic-go no other
// type: over a PacketConn with ReadMsgUDP and WriteMsgUDP, as package dialer's, it asserts *net.UDPAddr when it sends
// the first packet, in another goroutine, and a *socks.Addr panics there. Over a PacketConn of package socks,
// which has no such methods, a *socks.Addr works; it is slower.

// Package http3 reaches an HTTP/3 server behind a gateway.
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sockslib/sockslib/dialer"
)

// Client is an http.Client whose connections share one association. Close it after use.
type Client struct {
	http.Client
	packets net.PacketConn
	quic    *quic.Transport
	http3   *http3.Transport
}

// NewClient returns a client of HTTPS servers whose names the gateway knows.
func NewClient(ctx context.Context, d *dialer.Dialer, config *tls.Config) (*Client, error) {
	packets, err := d.ListenPacket(ctx, "udp", "")
	if err != nil {
		return nil, err
	}
	c := &Client{packets: packets, quic: &quic.Transport{Conn: packets}}
	c.http3 = &http3.Transport{TLSClientConfig: config, Dial: func(ctx context.Context, address string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
		addr, err := d.ResolveUDPAddr("udp", address)
		if err != nil {
			return nil, err
		}
		return c.quic.DialEarly(ctx, addr, t, q)
	}}
	c.Transport = c.http3
	return c, nil
}

// Close ends the connections and the association.
func (c *Client) Close() error {
	return errors.Join(c.http3.Close(), c.quic.Close(), c.packets.Close())
}
