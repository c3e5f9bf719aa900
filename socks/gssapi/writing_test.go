package gssapi

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

// A write of up to 16 KiB is one message: Dante requires a request to be in one.
func TestWriteIsOneMessage(t *testing.T) {
	for _, p := range []Protection{Confidentiality, Integrity} {
		near, far, gateway := pair(t, p)
		for n, messages := range map[int][]int{1: {1}, 10: {10}, maxPlain: {maxPlain}, maxPlain + 1: {maxPlain, 1}, 2*maxPlain + 5: {maxPlain, maxPlain, 5}} {
			m, err := near.Write(make([]byte, n))
			require.NoError(t, err)
			require.Equal(t, n, m)
			for _, want := range messages {
				token, err := readMessage(far, msgData)
				require.NoError(t, err)
				plain, err := gateway.UnwrapNext(token, p == Confidentiality)
				require.NoError(t, err)
				require.Len(t, plain, want)
				overhead := map[Protection]int{Confidentiality: 64, Integrity: 32}[p]
				require.Equal(t, want+overhead, headerLen+len(token))
			}
		}
		n, err := near.Write(nil)
		require.NoError(t, err)
		require.Zero(t, n)
	}
}

var bulk = func() []byte {
	b := make([]byte, 8<<20)
	r := rand.NewChaCha8([32]byte{})
	r.Read(b)
	return b
}()

// Writes that repeatedly time out and are continued lose no data and send none twice.
func TestWritesGoOnAfterTimeouts(t *testing.T) {
	for _, p := range []Protection{Confidentiality, Integrity} {
		c, _ := world(t, p, new(acceptor.Acceptor))
		near, far := connect(t, c)
		done, timeouts := make(chan error, 1), make(chan struct{}, 1)
		go func() { // ends when everything is written, or at an error
			var err error
			for sent := 0; sent < len(bulk) && err == nil; {
				near.SetWriteDeadline(time.Now().Add(time.Millisecond))
				var n int
				n, err = near.Write(bulk[sent:])
				sent += n
				if errors.Is(err, os.ErrDeadlineExceeded) {
					err = nil
					select {
					case timeouts <- struct{}{}:
					default:
					}
				}
			}
			near.SetWriteDeadline(time.Time{})
			done <- errors.Join(err, near.CloseWrite())
		}()
		select {
		case <-timeouts: // the peer does not read yet, so there is a timeout
		case err := <-done: // unless the buffers on the path hold everything
			done <- err
		}
		sum := sha256.New()
		n, err := io.Copy(sum, far)
		require.NoError(t, err)
		require.NoError(t, <-done)
		require.EqualValues(t, len(bulk), n)
		require.Equal(t, sha256.Sum256(bulk), [sha256.Size]byte(sum.Sum(nil)))
	}
}

// After its deadline Write sends nothing. Close does not wait for data that cannot be sent.
func TestWriteDeadlineEndsTheWrite(t *testing.T) {
	near, far, gateway := pair(t, Confidentiality)
	require.NoError(t, near.SetWriteDeadline(time.Unix(1, 0)))
	for range 3 {
		n, err := near.Write([]byte("late"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Zero(t, n)
	}
	require.NoError(t, near.SetWriteDeadline(time.Time{}))
	near.Write([]byte("in time"))
	token, err := readMessage(far, msgData)
	require.NoError(t, err)
	plain, err := gateway.UnwrapNext(token, true)
	require.NoError(t, err, "no sequence number may be used up")
	require.Equal(t, "in time", string(plain))

	require.NoError(t, near.Conn.(*net.TCPConn).SetWriteBuffer(4096))
	for len(near.rest) == 0 {
		near.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		near.Write(bulk)
	}
	require.ErrorIs(t, near.CloseWrite(), os.ErrDeadlineExceeded, "CloseWrite must send the rest first")
	require.NoError(t, near.Close())
	_, err = near.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = near.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
}
