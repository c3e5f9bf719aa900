package lab

import (
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// atOnce is the number of connections that the tests below open at a time.
const atOnce = 64

// Ten thousand connections leave no descriptor and no memory in the supervisor, except the pipes of Go's pool for
// splice, which the next garbage collections close.
func TestSupervisorKeepsNothing(t *testing.T) {
	inEachWay(t, requireNothingKept)
}

func requireNothingKept(t *testing.T, w *world, way string) {
	script := fmt.Sprintf(`for batch in "2000 %[1]d" "8000 %[1]d" "3000 1"; do "$0" connects www.test:7 $batch && echo done with $batch.; read x; done`, atOnce)
	cmd := run{way: way}.command(w, "bash", "-c", script, built("client"))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	p := startPiped(w, cmd)
	next := func() {
		_, err := io.WriteString(in, "\n")
		require.NoError(t, err)
	}
	p.awaitFor(t, "done with 2000 64.", patience)
	supervisors := processes("socksify: supervisor")
	require.Len(t, supervisors, 1)
	var pid int
	_, err = fmt.Sscanf(supervisors[0], "/proc/%d ", &pid)
	require.NoError(t, err)
	first := settledDescriptors(t, pid)
	memory := resident(t, pid)
	next()
	p.awaitFor(t, "done with 8000 64.", patience)
	second := settledDescriptors(t, pid)
	require.Less(t, resident(t, pid), 2*memory+20<<20)
	next()
	p.awaitFor(t, "done with 3000 1.", patience)
	third := settledDescriptors(t, pid)
	t.Logf("descriptors: %v, then %v, then %v", first, second, third)
	const perConnection = 2 * 2 // one pipe per direction, with two descriptors
	require.LessOrEqual(t, second["pipe"], perConnection*2*atOnce, "a relay ends a little after its connection")
	require.Less(t, third["pipe"], perConnection*8, "pipes that no connection needs")
	for _, kinds := range []map[string]int{first, second, third} {
		delete(kinds, "pipe")
		if way == byContainer { // the supervisor keeps sockets that the program has closed until a sweep
			require.Less(t, kinds["socket"], 160)
			delete(kinds, "socket")
		}
	}
	require.Equal(t, first, second)
	require.Equal(t, first, third)
	require.NoError(t, in.Close())
	p.wait()
}

// settledDescriptors waits until the number of a process's open descriptors is stable, because the last
// connections may not have ended yet, and returns the number of each kind.
func settledDescriptors(t *testing.T, pid int) map[string]int {
	t.Helper()
	var last map[string]int
	for same, try := 0, 0; same < 20 && try < 200; try++ {
		kinds := descriptors(t, pid)
		if same++; !maps.Equal(kinds, last) {
			last, same = kinds, 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

// descriptors returns the number of a process's descriptors by kind: "socket", "pipe", "anon_inode:[pidfd]", or a
// file's name.
func descriptors(t *testing.T, pid int) map[string]int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, e := range entries {
		kind, err := os.Readlink(dir + e.Name())
		if err != nil {
			continue // closed since
		}
		if before, _, numbered := strings.Cut(kind, ":["); numbered && !strings.HasPrefix(kind, "anon_inode") {
			kind = before
		}
		kinds[kind]++
	}
	return kinds
}

// resident returns the resident memory of a process, in bytes.
func resident(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kb << 10
}
