// Package broker starts a Kafka broker for tests.
package broker

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sockslib/sockslib/internal/behind"
)

// Topic exists at the broker.
const Topic = "news"

// Start starts a broker that reports its name as its address, and returns the address and the TLS configuration of its
// client.
func Start(t *testing.T, n *behind.Network) (at string, client *tls.Config) {
	server, client := behind.TLS(t)
	l := n.Listen()
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.SeedTopics(1, Topic), kfake.TLS(server),
		kfake.ListenFn(func(_, _ string) (net.Listener, error) { return named{l, address(n.Address(l.Addr()))}, nil }),
	)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return n.Address(l.Addr()), client
}

// named is a listener whose address is a name.
type named struct {
	net.Listener
	addr net.Addr
}

func (l named) Addr() net.Addr { return l.addr }

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
