//go:build linux

package main

import (
	"fmt"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/noproxy"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// newDialer returns a Dialer for the gateways of o.
func newDialer(o *options) (*dialer.Dialer, error) {
	clients := make([]*socks.Client, len(o.Gateways))
	for i, g := range o.Gateways {
		c, err := chain(append(append([]string{}, o.Via...), g))
		if err != nil {
			return nil, err
		}
		clients[i] = c
	}
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		return nil, err
	}
	d := &dialer.Dialer{Table: table}
	if o.Direct != "" {
		d.Direct = noproxy.Direct(o.Direct)
	}
	if len(clients) == 1 {
		d.Gateway = clients[0]
	} else {
		d.Gateway = &socks.Group{Clients: clients}
	}
	return d, nil
}

// chain returns a Client of the last gateway in urls, which it reaches through the others in order.
func chain(urls []string) (*socks.Client, error) {
	var last *socks.Client
	for _, u := range urls {
		c, err := socks.ParseURL(u)
		if err != nil {
			return nil, err
		}
		if last != nil {
			if c.Network == "unix" {
				return nil, fmt.Errorf("%s: a unix socket cannot be reached through another gateway", c.Addr)
			}
			c.Forward = last
		}
		last = c
	}
	return last, nil
}
