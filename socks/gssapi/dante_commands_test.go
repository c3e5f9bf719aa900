//go:build dante

package gssapi

import (
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// each runs a test for each protection and each of the kinds of credentials.
func (r *danteRun) each(t *testing.T, request string, kinds []string, test func(t *testing.T, c *socks.Client, p Protection)) {
	addr, _ := r.good().start(t)
	for _, p := range []Protection{None, Integrity, Confidentiality} {
		for _, how := range kinds {
			r.record(t, request+", "+p.String(), how, func(t *testing.T) string {
				test(t, r.client(addr, how, p), p)
				return works
			})
		}
	}
}

var everyKind = []string{"cache", "keytab", "password"}

func (r *danteRun) commands(t *testing.T) {
	r.each(t, "CONNECT to an IPv4 address", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		near, far := connect(t, c)
		exchanges(t, near, far)
	})
	r.each(t, "CONNECT to a name", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		l := listen(t)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		near, err := c.Dial("tcp", "dest.test:"+port)
		require.NoError(t, err)
		defer near.Close()
		far, err := l.Accept()
		require.NoError(t, err)
		defer far.Close()
		exchanges(t, near, far)
	})
	r.each(t, "CONNECT, CloseWrite before the answer", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		near, far := connect(t, c)
		halfCloses(t, near, far)
	})
	r.each(t, "BIND for anyone", everyKind, func(t *testing.T, c *socks.Client, _ Protection) {
		l, err := c.Listen(t.Context(), "tcp", "")
		require.NoError(t, err)
		defer l.Close()
		far, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer far.Close()
		near, err := l.Accept()
		require.NoError(t, err)
		defer near.Close()
		exchanges(t, near, far)
	})
	r.each(t, "UDP ASSOCIATE", everyKind, func(t *testing.T, c *socks.Client, p Protection) {
		to := echo(t)
		pc := associate(t, c)
		b := make([]byte, 1<<16)
		for _, n := range []int{1, 100, 1400, 8000, 32000} {
			for _, addr := range []net.Addr{net.UDPAddrFromAddrPort(to), &socks.Addr{Net: "udp", Name: "dest.test", Port: to.Port()}} {
				sent := bulk[:n]
				_, err := pc.WriteTo(sent, addr)
				require.NoError(t, err)
				m, from, err := pc.ReadFromAddrPort(b)
				require.NoError(t, err)
				require.Equal(t, sent, b[:m])
				require.Equal(t, to, from)
			}
		}
		require.Zero(t, pc.Stats().Malformed)
	})
}

// much tests 64 MiB in each direction, and many dials.
func (r *danteRun) much(t *testing.T) {
	r.each(t, "64 MiB each way", []string{"cache"}, func(t *testing.T, c *socks.Client, _ Protection) {
		near, far := connect(t, c)
		for _, way := range [][2]halfCloser{{near, far}, {far, near}} {
			failed := make(chan error, 1)
			sent, got := sha256.New(), sha256.New()
			go func() { // ends when everything is written, or with the connection
				var err error
				for range 8 {
					if err == nil {
						sent.Write(bulk)
						_, err = way[0].Write(bulk)
					}
				}
				failed <- errors.Join(err, way[0].CloseWrite())
			}()
			n, err := io.Copy(got, way[1])
			require.NoError(t, err)
			require.NoError(t, <-failed)
			require.EqualValues(t, 64<<20, n)
			require.Equal(t, sent.Sum(nil), got.Sum(nil))
		}
	})
	r.each(t, "100 dials at once", []string{"cache"}, func(t *testing.T, c *socks.Client, _ Protection) {
		l := listen(t)
		var running sync.WaitGroup
		for range 100 {
			running.Go(func() { // the test's, which waits for it; ends with its dial
				near, err := c.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				near.Close()
			})
		}
		running.Wait()
	})
	r.each(t, "CONNECT by a spare connection", []string{"cache"}, func(t *testing.T, c *socks.Client, _ Protection) {
		c.Spare = 2
		defer c.Close()
		for c.Stats().SpareHits < 3 {
			near, far := connect(t, c)
			exchanges(t, near, far)
		}
	})
}
