package lab

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func waitForPort(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}, 10*time.Second, 10*time.Millisecond, "%s does not listen", address)
}
