package lab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nobody is the ID of an ordinary user.
const nobody = 65534

// patience is the time that a program may take.
const patience = 60 * time.Second

func built(name string) string { return filepath.Join(os.Getenv(insideVariable), name) }

// run is a program under socksify, in the launcher's namespace.
type run struct {
	way   string   // one of ways; empty: auto
	flags []string // of socksify, in addition to the gateway
	env   []string
	user  bool // as nobody
	stdin string
	bare  bool     // without socksify
	named bool     // the gateway is in env, not in the flags
	wrap  []string // another wrapper in place of socksify
}

type result struct {
	stdout, stderr string
	code           int // -1: died of signal
	signal         syscall.Signal
}

// socksify returns the command line of socksify, up to the program.
func (r run) socksify() []string {
	argv := append([]string{built("socksify")}, r.flags...)
	if !r.named {
		argv = append(argv, "-gateway", "socks5://"+gatewayIP+":1080")
	}
	switch r.way {
	case "":
	case byContainer:
		argv = append(contained("docker", r.user), argv...)
	default:
		argv = append(argv, "-by", r.way)
	}
	return append(argv, "--")
}

// command returns the command that runs argv.
func (r run) command(w *world, argv ...string) *exec.Cmd {
	if !r.bare {
		argv = append(r.socksify(), argv...)
	}
	argv = append(append([]string{}, r.wrap...), argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = w.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home(r.user), "LANG=C.UTF-8", "TMPDIR=" + os.TempDir()}, r.env...)
	if raced {
		cmd.Env = append(cmd.Env, "GORACE=log_path="+w.races()+"/race")
	}
	if r.stdin != "" {
		cmd.Stdin = strings.NewReader(r.stdin)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if r.user {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// races returns the directory for the reports of socksify's race detector, because its processes have no standard
// error.
func (w *world) races() string {
	dir := w.dir + "/races"
	require.NoError(w.t, os.MkdirAll(dir, 0o777))
	require.NoError(w.t, os.Chmod(dir, 0o777))
	return dir
}

// home makes the home directory of nobody or of root, and returns it.
func (w *world) home(user bool) string {
	dir, id := w.dir+"/root", 0
	if user {
		dir, id = w.dir+"/nobody", nobody
	}
	require.NoError(w.t, os.MkdirAll(dir, 0o755))
	require.NoError(w.t, os.Chown(dir, id, id))
	return dir
}

// do runs argv to its end.
func (r run) do(w *world, argv ...string) result {
	w.t.Helper()
	cmd := r.command(w, argv...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr.Setpgid = true // so that the whole group can be killed
	w.start(cmd)
	late := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	_ = cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	res := result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
	if status.Signaled() {
		res.signal = status.Signal()
	}
	return res
}

func (w *world) start(cmd *exec.Cmd) {
	w.t.Helper()
	var err error
	w.within(func() { err = cmd.Start() })
	require.NoError(w.t, err)
}

// requireNothingLeft waits until no process of socksify is left.
func requireNothingLeft(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(processes("socksify")) == 0 }, 15*time.Second, 10*time.Millisecond,
		"left: %v", processes("socksify"))
}

// processes returns the processes with an argv[0] whose last element begins with name.
func processes(name string) (found []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		first, _, _ := bytes.Cut(b, []byte{0})
		if strings.HasPrefix(filepath.Base(string(first)), name) {
			found = append(found, filepath.Dir(file)+" "+string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// need returns the path of a Debian package's program.
func need(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		lacks(t, program+", of the Debian package "+debian)
	}
	return path
}
