package lab

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitForPort waits until a program listens at a port, in the thread's network namespace.
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
