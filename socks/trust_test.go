package socks_test

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// guarded is a gateway in memory that accepts one password, and counts refusals.
type guarded struct {
	gateway
	password atomic.Value
	refused  atomic.Int64
}

func (g *guarded) checkPassword(r *wire.Reader, c net.Conn) bool {
	r.ReadMethods()
	c.Write([]byte{wire.Version, wire.MethodUserPass})
	_, password, err := r.ReadUserPass()
	if err != nil {
		return false
	}
	if password != g.password.Load() {
		g.refused.Add(1)
		c.Write([]byte{wire.UserPassVersion, 1})
		return false
	}
	c.Write([]byte{wire.UserPassVersion, wire.StatusSuccess})
	return true
}

// withSpares returns a Client with eight spares, which have used the password "old".
func withSpares(t *testing.T, g *guarded) *socks.Client {
	g.admit, g.answer = g.checkPassword, grants
	g.password.Store("old")
	c := &socks.Client{Addr: "127.0.0.1:1080", Forward: g, Auth: []socks.Auth{socks.UserPass("user", "old")}, Spare: 8}
	dialOnce(t, c)
	synctest.Wait()
	return c
}

// A dial on a spare that was let in before the password changed does not show that the password is valid: it is
// tried once, and not once more per remaining spare.
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

// A gateway that closed all spares and changed its password sees the old password once per dial.
func TestChangedPasswordIsTriedOncePerDial(t *testing.T) {
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
		require.EqualValues(t, 1, c.Stats().SpareHits, "spares are made after the next success")
	})
}

// If spares are too old at the same time, their replacements try the password once, and not once each.
func TestAgedSparesTryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(guarded)
		c := withSpares(t, g)
		defer c.Close()
		time.Sleep(21 * time.Second)
		synctest.Wait()
		dialOnce(t, c)
		require.EqualValues(t, 1, c.Stats().SpareHits, "they were replaced")
		synctest.Wait()
		g.password.Store("new")
		time.Sleep(21 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, g.refused.Load())
	})
}
