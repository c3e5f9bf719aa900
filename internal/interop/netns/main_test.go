//go:build linux

package netns

import (
	"os"
	"testing"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

// TestMain runs the tests, or serves as the process of a node.
func TestMain(m *testing.M) {
	if loopback := os.Getenv(nodeVariable); loopback != "" {
		os.Exit(serveNode(loopback))
	}
	leakcheck.Main(m)
}
