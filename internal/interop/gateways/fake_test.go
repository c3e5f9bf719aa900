package gateways

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// mapped is a name for which the application has a fake address.
type mapped struct{ what, network, name string }

var fakes = []mapped{
	{"an IPv4 fake, of a name of IPv6", "ip4", name6},
	{"an IPv6 fake, of a name of IPv4", "ip6", name4},
}

// fake returns an application's dialer, and host:port of the servers with their fake addresses.
func (a against) fake(t *testing.T, c *socks.Client, m mapped) (dialer.Dialer, string) {
	names, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	addr, err := names.Assign(m.network, m.name)
	require.NoError(t, err)
	return dialer.Dialer{Gateway: c, Table: names}, a.server(addr.String())
}
