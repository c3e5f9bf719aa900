package gssapi

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// counted counts the tickets that auth fetches, and delays each fetch until open is closed.
func counted(auth *Auth, open <-chan struct{}) *atomic.Int64 {
	get, n := auth.Credentials.ticket, new(atomic.Int64)
	auth.Credentials.ticket = func(config, service string) (*krb5.Ticket, error) {
		n.Add(1)
		<-open
		return get(config, service)
	}
	return n
}

var opened = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// One ticket serves all dials, including concurrent ones. A dial whose context ends does not end the others' wait.
func TestOneTicketServesAllDials(t *testing.T) {
	r, auth := realm(t, aes256)
	open := make(chan struct{})
	fetched := counted(auth, open)
	c := clientOf(t, accepting(&acceptor.Acceptor{Realm: r}), auth)
	l := listen(t)
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { // ends with cancel
		_, err := c.DialContext(impatient, "tcp", l.Addr().String())
		gaveUp <- err
	}()
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() { // the test's, which waits for it; ends with its dial
			conn, err := c.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	require.Eventually(t, func() bool { return fetched.Load() == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	close(open)
	running.Wait()
	require.EqualValues(t, 1, fetched.Load())
}

// A ticket is kept until a minute before its end. It is dropped if the gateway refuses or hangs up, because the
// gateway may have a new key.
func TestTicketIsDropped(t *testing.T) {
	r, auth := realm(t, aes256)
	fetched := counted(auth, opened)
	type bending func(mtyp byte, msg []byte) []byte
	var behave atomic.Value
	acc := &acceptor.Acceptor{Realm: r, Raw: func(mtyp byte, msg []byte) []byte { return behave.Load().(bending)(mtyp, msg) }}
	c := clientOf(t, accepting(acc), auth)
	good := func(_ byte, msg []byte) []byte { return msg }
	dial := func(b bending) error {
		behave.Store(b)
		conn, err := c.Dial("tcp", listen(t).Addr().String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	for range 3 {
		require.NoError(t, dial(good))
	}
	require.EqualValues(t, 1, fetched.Load())
	require.ErrorIs(t, dial(func(byte, []byte) []byte { return []byte{1, 0xFF} }), socks.ErrAuthFailed)
	require.NoError(t, dial(good))
	require.EqualValues(t, 2, fetched.Load())
	require.ErrorIs(t, dial(func(byte, []byte) []byte { return nil }), socks.ErrGateway)
	require.NoError(t, dial(good))
	require.Greater(t, fetched.Load(), int64(2))

	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, r.WriteCache(short, time.Now().Add(krb5.Margin+2*time.Second), 0))
	auth = &Auth{Service: acceptor.Service, Credentials: Cache(short)}
	fetched = counted(auth, opened)
	for range 2 {
		_, err := auth.tickets.get(t.Context(), auth.ticket)
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, fetched.Load())
	auth.tickets.kept.End = time.Now().Add(krb5.Margin - time.Second)
	_, err := auth.tickets.get(t.Context(), auth.ticket)
	require.NoError(t, err)
	require.EqualValues(t, 2, fetched.Load())
}
