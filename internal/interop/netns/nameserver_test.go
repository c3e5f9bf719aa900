//go:build linux

package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// nameserver is the DNS server in a node's resolv.conf. It knows no name, and counts the queries.
type nameserver struct {
	conn    net.PacketConn
	queries atomic.Int64
	running sync.WaitGroup
}

func newNameserver(loopback string) (*nameserver, error) {
	if err := mountResolvConf(loopback); err != nil {
		return nil, err
	}
	conn, err := net.ListenPacket("udp", net.JoinHostPort(loopback, "53"))
	if err != nil {
		return nil, err
	}
	s := &nameserver{conn: conn}
	s.running.Go(s.serve) // owned by s; ends with close
	return s, nil
}

// mountResolvConf mounts a file over resolv.conf, in the mount namespace that "ip netns exec" made for the node.
func mountResolvConf(loopback string) error {
	f, err := os.CreateTemp("", "resolv.conf")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // the mount keeps its content
	_, err = fmt.Fprintln(f, "nameserver", loopback)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = syscall.Mount(f.Name(), "/etc/resolv.conf", "", syscall.MS_BIND, "")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // without the file, package net asks the loopback address
	}
	return err
}

func (s *nameserver) serve() {
	const header, response, nameError = 12, 0x80, 3
	b := make([]byte, 512)
	for {
		n, from, err := s.conn.ReadFrom(b)
		if err != nil {
			return
		}
		s.queries.Add(1)
		if n >= header {
			b[2] |= response
			b[3] = nameError
			_, _ = s.conn.WriteTo(b[:n], from)
		}
	}
}

func (s *nameserver) close() {
	_ = s.conn.Close()
	s.running.Wait()
}

// Queries returns the number of queries.
func (s *nameserver) Queries(_ none, n *int64) error {
	*n = s.queries.Load()
	return nil
}

// Ask looks a name up with the system's resolver.
func (s *nameserver) Ask(name string, _ *none) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := net.DefaultResolver.LookupHost(ctx, name)
	return err
}

// requireNoQueries requires that no node has looked a name up, and that a lookup would have been counted.
func requireNoQueries(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		require.Zero(t, call[int64](t, n, "Nameserver.Queries", none{}), "queries of node %s", n.name)
		_, err := try[none](n, "Nameserver.Ask", "control.test")
		require.ErrorContains(t, err, "no such host")
		require.NotZero(t, call[int64](t, n, "Nameserver.Queries", none{}), "queries of node %s", n.name)
	}
}
