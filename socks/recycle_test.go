package socks_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// A context that ends a dial at the moment of its reply never closes a later dial's connection, which may have the
// same handshake.
func TestEndOfADialEndsNoOther(t *testing.T) {
	c := clientOf(t, &testgw.Gateway{Dial: echoing, Users: map[string]string{"user": "hunter2"}})
	c.Auth = []socks.Auth{socks.UserPass("user", "hunter2")}
	dial := func() error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan struct{})
		ctx = socks.WithTrace(ctx, &socks.Trace{Replied: func(string, *socks.Addr, *socks.Addr, error) {
			go func() { // owned by dial, which waits for ended; ends at once
				defer close(ended)
				cancel()
			}()
		}})
		conn, err := c.DialContext(ctx, "tcp", "name.example:80")
		<-ended
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return err
		}
		defer conn.Close()
		b := []byte("hello")
		if _, err := conn.Write(b); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, b)
		return err
	}
	failed := make(chan error, 8)
	var all sync.WaitGroup
	for range cap(failed) {
		all.Go(func() { // owned by the test, which waits for it; ends with its dials
			for range 100 {
				if err := dial(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	require.NoError(t, <-failed)
	require.Zero(t, c.Stats().Open)
}
