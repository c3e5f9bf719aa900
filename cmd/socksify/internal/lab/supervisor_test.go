package lab

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Ten thousand connections leave no descriptor, no thread to speak of and no memory in the supervisor.
func TestSupervisorKeepsNothing(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		script := `"$0" connects www.test:7 2000 64 && echo first; read x; "$0" connects www.test:7 8000 64 && echo second; read x`
		cmd := run{way: way}.command(w, "bash", "-c", script, built("client"))
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		p := startPiped(w, cmd)
		p.awaitFor(t, "first", patience)
		supervisors := processes("socksify: supervisor")
		require.Len(t, supervisors, 1)
		var pid int
		_, err = fmt.Sscanf(supervisors[0], "/proc/%d ", &pid)
		require.NoError(t, err)
		descriptors := settledDescriptors(t, pid, 0)
		memory := resident(t, pid)
		_, err = io.WriteString(in, "\n")
		require.NoError(t, err)
		p.awaitFor(t, "second", patience)
		require.LessOrEqual(t, settledDescriptors(t, pid, descriptors), descriptors)
		require.Less(t, resident(t, pid), 2*memory+20<<20)
		require.NoError(t, in.Close())
		p.wait()
	})
}

// settledDescriptors returns how many descriptors a process has open, once they are no more than a number or for a
// while the same.
func settledDescriptors(t *testing.T, pid, enough int) int {
	t.Helper()
	last, same := -1, 0
	for range 200 {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		require.NoError(t, err)
		n := len(entries)
		if n <= enough {
			return n
		}
		if n != last {
			last, same = n, 0
		}
		if same++; same > 60 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

// resident returns the bytes of memory of a process.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kb << 10
}
