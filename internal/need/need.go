// Package need probes the machine for what tests need: programs, namespaces, IPv6. Each probe tries for real, once
// per process. A test that lacks something skips and says what it lacks. With CI=true it fails, because CI must
// have everything.
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

// All skips t if one of the needs is an error. Each is the result of a probe: nil, or an error that names what is
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

// IPv6 returns an error if loopback has no IPv6 address.
var IPv6 = sync.OnceValue(func() error {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return fmt.Errorf("IPv6 on loopback: %w", err)
	}
	return l.Close()
})

// Root returns an error unless this process has the user ID of root. It does not look at capabilities.
func Root() error {
	if os.Geteuid() != 0 {
		return errors.New("root")
	}
	return nil
}

// Writable returns an error if no file can be created in dir.
func Writable(dir string) error {
	f, err := os.CreateTemp(dir, "need")
	if err != nil {
		return fmt.Errorf("write access: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
