package main

import (
	"context"
	"fmt"
	"net"

	txthinking "github.com/txthinking/socks5"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// countedConn counts calls.
type countedConn struct {
	*net.TCPConn
	count *callCount
}

type callCount struct{ writes, reads int }

func (c countedConn) Write(b []byte) (int, error) {
	c.count.writes++
	return c.TCPConn.Write(b)
}

func (c countedConn) Read(b []byte) (int, error) {
	c.count.reads++
	return c.TCPConn.Read(b)
}

const countedDials = 50

// countCalls returns the median numbers of write and read calls of a dial, by candidate name. The dialer is left out,
// because it calls what socks calls.
func countCalls(a *servers.Addrs, auth bool) (map[string]string, error) {
	var count callCount
	forward := dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return countedConn{c.(*net.TCPConn), &count}, nil
	})
	c := newSocks(a, auth)
	c.Forward = forward
	was := txthinking.DialTCP
	defer func() { txthinking.DialTCP = was }()
	others, err := peerClients(a, auth, forward)
	if err != nil {
		return nil, err
	}
	calls := map[string]string{direct: "0"}
	for _, c := range append([]candidate{socksClient(ours, c)}, others...) {
		var writes, reads report.Sample
		for range countedDials {
			count = callCount{}
			conn, err := c.dial(context.Background(), answered(c, a))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			writes, reads = append(writes, float64(count.writes)), append(reads, float64(count.reads))
			conn.Close()
		}
		calls[c.name] = fmt.Sprintf("%s + %s", report.Number(writes.Median()), report.Number(reads.Median()))
	}
	return calls, nil
}
