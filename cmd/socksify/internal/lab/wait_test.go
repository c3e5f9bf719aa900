package lab

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitForPort waits until a program listens, in the namespace of the thread.
func waitForPort(t testing.TB, address string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		require.True(t, time.Now().Before(deadline), "%s does not listen: %v", address, err)
		time.Sleep(10 * time.Millisecond)
	}
}
