// The hooks: Conn of turn.ClientConfig, from ListenPacket, and the address of a Resolver as TURNServerAddr: a name
// there is looked up locally.

// Package turn reaches a TURN server behind a gateway with pion/turn.
package turn

import (
	"context"
	"net"

	"github.com/pion/turn/v5"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/resolver"
)

// Client is a turn.Client and its association. Close it after use.
type Client struct {
	*turn.Client
	packets net.PacketConn
}

// Listen returns a client of the TURN server at address, "host:port", whose host is a name that the gateway
// knows. The config's Conn and TURNServerAddr are set.
func Listen(ctx context.Context, d *dialer.Dialer, r *resolver.Resolver, address string, config turn.ClientConfig) (*Client, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	fakes, err := r.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	if config.Conn, err = d.ListenPacket(ctx, "udp", ""); err != nil {
		return nil, err
	}
	config.TURNServerAddr = net.JoinHostPort(fakes[0], port)
	client, err := turn.NewClient(&config)
	if err == nil {
		err = client.Listen()
	}
	if err != nil {
		config.Conn.Close()
		return nil, err
	}
	return &Client{client, config.Conn}, nil
}

// Close ends the client and the association.
func (c *Client) Close() error {
	c.Client.Close()
	return c.packets.Close()
}
