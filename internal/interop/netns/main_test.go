//go:build linux

package netns

import (
	"os"
	"testing"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

// TestMain runs the tests, or is the process of a node, which does what the tests tell it.
func TestMain(m *testing.M) {
	if loopback := os.Getenv(nodeVariable); loopback != "" {
		os.Exit(serveNode(loopback))
	}
	leakcheck.Main(m)
}
