package clients

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

const greeting = "hello from the server"

// startGreeter starts a server that greets each client and hangs up.
func startGreeter(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", here+":0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { // owned by the test; ends with l
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, greeting)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l
}
