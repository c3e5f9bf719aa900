package socks_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

// Writes that time out over and over, and go on where they stopped, lose nothing and send nothing twice.
func TestTLSWritesGoOnAfterTimeouts(t *testing.T) {
	near, far := connect(t, clientOverTLS(t, new(testgw.Gateway)), listen(t))
	done, timeouts := make(chan error, 1), make(chan struct{}, 1)
	go func() { // ends when all is written, or at an error
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
	<-timeouts // nobody reads yet, so it comes
	sum := sha256.New()
	n, err := io.Copy(sum, far)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.EqualValues(t, len(bulk), n)
	require.Equal(t, sha256.Sum256(bulk), [sha256.Size]byte(sum.Sum(nil)))
}

// A Close does not wait for what cannot be sent, and the peer does not take it for the end of the stream.
func TestTLSCloseAfterTimeout(t *testing.T) {
	near, far := connect(t, clientOverTLS(t, new(testgw.Gateway)), listen(t))
	var err error
	for err == nil { // until every buffer on the way is full
		near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		_, err = near.Write(bulk)
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	near.SetWriteDeadline(time.Time{})
	begun := time.Now()
	require.NoError(t, near.Close())
	require.Less(t, time.Since(begun), atOnce)
	_, err = io.Copy(io.Discard, far)
	require.Error(t, err)
	require.NotErrorIs(t, err, net.ErrClosed)
}
