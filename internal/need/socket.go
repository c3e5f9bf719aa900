package need

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// maxSocketPath is less than the shortest limit of a system for a unix socket's path, 103 bytes: a test may append a
// port.
const maxSocketPath = 97

// SocketPath returns a path for a unix socket, in a directory that ends with t. t.TempDir's may be too long: it has
// the test's name, and TMPDIR.
func SocketPath(t testing.TB) string {
	t.Helper()
	var why error
	for _, parent := range []string{os.TempDir(), "/tmp", "."} {
		dir, err := os.MkdirTemp(parent, "s")
		if err != nil {
			why = err
			continue
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		path := filepath.Join(dir, "s")
		if len(path) <= maxSocketPath {
			return path
		}
		why = fmt.Errorf("%s is too long", path)
	}
	All(t, fmt.Errorf("a directory for a unix socket: %w", why))
	return ""
}
