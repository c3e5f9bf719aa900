package resolver

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/pod"
	"github.com/sockslib/sockslib/mapping"
)

// tasks are run in a pod in place of the tests.
var tasks = map[string]func() error{}

func TestMain(m *testing.M) {
	pod.Main(tasks)
	leakcheck.Main(m)
}

func newTable(t testing.TB) *mapping.Table {
	table, err := mapping.New(mapping.Config{Size: 1 << 12})
	require.NoError(t, err)
	return table
}

// newServer starts s on loopback, UDP and TCP, and returns its address.
func newServer(t testing.TB, s *Server) string {
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.Listening = func(a net.Addr) { listening <- a }
	go func() { ended <- s.ListenAndServe(context.Background(), "127.0.0.1:0") }() // ends with the Shutdown below
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.ErrorIs(t, <-ended, net.ErrClosed)
	})
	select {
	case a := <-listening:
		return a.String()
	case err := <-ended:
		require.NoError(t, err)
		return ""
	}
}

// mapped returns the names that a table holds.
func mapped(table *mapping.Table) []string {
	names := []string{}
	for e := range table.All() {
		names = append(names, e.Name)
	}
	return names
}
