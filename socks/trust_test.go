package socks_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// guarded is a Forward to gateways in memory that take one password, and count those that they refuse.
type guarded struct {
	password atomic.Value
	refused  atomic.Int64
	pool     // of which hangUp is used
}

func (g *guarded) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	g.mu.Lock()
	g.far = append(g.far, far)
	g.mu.Unlock()
	go func() { // ends when either side is closed
		defer far.Close()
		r := wire.NewReader(bufio.NewReader(far))
		r.ReadMethods()
		far.Write([]byte{wire.Version, wire.MethodUserPass})
		_, password, err := r.ReadUserPass()
		if err != nil {
			return
		}
		if password != g.password.Load() {
			g.refused.Add(1)
			far.Write([]byte{wire.UserPassVersion, 1})
			return
		}
		far.Write([]byte{wire.UserPassVersion, wire.StatusSuccess})
		if _, _, err := r.ReadRequest(); err == nil {
			far.Write([]byte{wire.Version, wire.Succeeded, 0, 1, 127, 0, 0, 1, 0, 9})
			io.Copy(io.Discard, far)
		}
	}()
	return near, nil
}

func withSpares(t *testing.T, g *guarded) *socks.Client {
	g.password.Store("old")
	c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Auth: []socks.Auth{socks.UserPass("user", "old")}, Spare: 8}
	dialOnce(t, c)
	synctest.Wait()
	return c
}

// A dial on a spare that was authenticated before the password changed does not vouch for the password: it is
// tried once, and not once more for each spare that is left.
func TestOldSparesDoNotVouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(guarded)
		c := withSpares(t, g)
		defer c.Close()
		g.password.Store("new")
		for range 8 {
			dialOnce(t, c)
			synctest.Wait()
		}
		require.EqualValues(t, 8, c.Stats().SpareHits)
		require.EqualValues(t, 1, g.refused.Load())
	})
}

// A gateway that ended all spares and changed the password sees it once for a dial.
func TestPasswordChangedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(guarded)
		c := withSpares(t, g)
		defer c.Close()
		g.password.Store("new")
		g.hangUp()
		synctest.Wait()
		for i := range 3 {
			_, err := c.Dial("tcp", "x.example:80")
			require.ErrorIs(t, err, socks.ErrAuthFailed)
			synctest.Wait()
			require.EqualValues(t, i+1, g.refused.Load())
		}
		g.password.Store("old")
		dialOnce(t, c)
		synctest.Wait()
		dialOnce(t, c)
		require.EqualValues(t, 1, c.Stats().SpareHits, "spares come back with the next success")
	})
}

// Spares that are too old at once try the password of their successors once, and not once each.
func TestAgedSparesTryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(guarded)
		c := withSpares(t, g)
		defer c.Close()
		time.Sleep(21 * time.Second)
		synctest.Wait()
		dialOnce(t, c)
		require.EqualValues(t, 1, c.Stats().SpareHits, "they have successors")
		synctest.Wait()
		g.password.Store("new")
		time.Sleep(21 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, g.refused.Load())
	})
}
