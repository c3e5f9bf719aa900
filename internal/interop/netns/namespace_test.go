//go:build linux

package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

// ours is the prefix of the names of all namespaces of these tests. The ID of the process that made it follows.
const ours = "sockslib-netns-"

// needNamespaces skips t if no namespaces can be made.
func needNamespaces(t *testing.T) {
	t.Helper()
	need.Path(t, "ip", "iproute2")
	need.All(t, need.Root(), need.Namespaces(), canNamespace())
	removeLeftovers(t)
}

// canNamespace makes a namespace with a veth pair and an IPv6 address, runs a program there, and removes it.
var canNamespace = sync.OnceValue(func() error {
	name := fmt.Sprintf("%s%d-0-probe", ours, os.Getpid())
	if err := ip("netns", "add", name); err != nil {
		return err
	}
	err := ip("-n", name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
	if err == nil {
		err = ip("-n", name, "address", "add", "2001:db8::1/64", "dev", "probe0", "nodad")
	}
	if err == nil {
		err = ip("netns", "exec", name, "true")
	}
	return errors.Join(err, ip("netns", "del", name))
})

// removeLeftovers removes the namespaces, and the processes in them, of runs that were killed.
func removeLeftovers(t *testing.T) {
	list, err := exec.Command("ip", "netns", "list").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, made := strings.CutPrefix(name, ours)
		number, _, _ = strings.Cut(number, "-")
		run, err := strconv.Atoi(number)
		if !made || err != nil || syscall.Kill(run, 0) != syscall.ESRCH {
			continue
		}
		pids, _ := exec.Command("ip", "netns", "pids", name).Output()
		for field := range strings.FieldsSeq(string(pids)) {
			if pid, err := strconv.Atoi(field); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		t.Logf("removed %s, left by an earlier run: %v", name, ip("netns", "del", name))
	}
}

// ip runs iproute2's ip. The error has its output.
func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
