// Package need tells what this machine has of what tests need. Each need is tried for real, once in a process.
// A test that lacks something skips, and says what; with CI=true it fails, for there everything has to be.
package need

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
)

// All skips t if one of the needs is not there. Each is the result of a probe: nil, or an error that names what is
// missing.
func All(t testing.TB, needs ...error) {
	t.Helper()
	err := errors.Join(needs...)
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI=true, but this lacks: %v", err)
	}
	t.Skip("needs", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// IPv6 tells whether loopback has an IPv6 address.
var IPv6 = sync.OnceValue(func() error {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return fmt.Errorf("IPv6 on loopback: %w", err)
	}
	return l.Close()
})

// Root tells whether this process has the user ID of root. Its capabilities are another matter.
func Root() error {
	if os.Geteuid() != 0 {
		return errors.New("root")
	}
	return nil
}

// Writable tells whether files can be made in a directory.
func Writable(dir string) error {
	f, err := os.CreateTemp(dir, "need")
	if err != nil {
		return fmt.Errorf("write access: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
