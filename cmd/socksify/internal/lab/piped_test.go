package lab

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// piped is a process whose output the test reads while it runs.
type piped struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out strings.Builder
}

func (p *piped) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *piped) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func startPiped(w *world, cmd *exec.Cmd) *piped {
	w.t.Helper()
	p := &piped{cmd: cmd}
	cmd.Stdout, cmd.Stderr = p, p
	w.start(cmd)
	return p
}

// await waits until the output contains a text.
func (p *piped) await(t *testing.T, text string) {
	t.Helper()
	p.awaitFor(t, text, 15*time.Second)
}

func (p *piped) awaitFor(t *testing.T, text string, wait time.Duration) {
	t.Helper()
	for end := time.Now().Add(wait); !strings.Contains(p.output(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			require.Failf(t, "the output is late", "no %q in %s", text, p.output())
		}
	}
}

// wait waits for the end of the process and returns its exit code, or -1 if it died of a signal or did not end in
// time.
func (p *piped) wait() int {
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}
