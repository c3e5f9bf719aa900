package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

// ways has the values of -by that name one way, and byContainer.
var ways = []string{"namespace", "seccomp", byContainer}

// inEachWay runs a test in a new world for each way, and requires that nothing is left behind.
func inEachWay(t *testing.T, f func(t *testing.T, w *world, way string)) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			before := snapshot(t)
			f(t, w, way)
			requireNothingLeft(t)
			require.Subset(t, before, snapshot(t), "mounts, devices, temporary files") // files of other processes may have been removed
		})
	}
}

// snapshot returns the mounts, devices and temporary files, which a run could leave behind.
func snapshot(t *testing.T) (found []string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	files, err := filepath.Glob(os.TempDir() + "/socksify*")
	require.NoError(t, err)
	links, err := exec.Command("ip", "-o", "link", "show", "type", "tun").Output()
	require.NoError(t, err)
	return append(append(files, strings.Split(string(mounts), "\n")...), strings.Split(string(links), "\n")...)
}

func TestExitCodeIsTheProgramsOwn(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		notExecutable := w.dir + "/plain"
		require.NoError(t, os.WriteFile(notExecutable, []byte("echo from a script without a first line\n"), 0o644))
		script := w.dir + "/script"
		require.NoError(t, os.WriteFile(script, []byte("echo from a script; exit $1\n"), 0o755))
		interpreter := w.dir + "/interpreter"
		require.NoError(t, os.WriteFile(interpreter, []byte("#!/nonexistent/interpreter\n"), 0o755))
		for _, c := range []struct {
			argv []string
			code int
			says string
		}{
			{[]string{"true"}, 0, ""},
			{[]string{"sh", "-c", "exit 7"}, 7, ""},
			{[]string{notExecutable}, 126, "permission denied"},
			{[]string{"/"}, 126, ""},
			{[]string{"no-such-program"}, 127, "no such file"},
			{[]string{interpreter}, 127, "no such file"},
			{[]string{script, "9"}, 9, ""},
		} {
			res := run{way: way}.do(w, c.argv...)
			require.Equal(t, c.code, res.code, "%q: %s", c.argv, res.stderr)
			require.Contains(t, res.stderr, c.says)
		}
		for signal, name := range map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL", syscall.SIGSEGV: "SEGV"} {
			res := run{way: way}.do(w, "sh", "-c", "kill -"+name+" $$")
			require.Equal(t, signal, res.signal, res.stderr)
		}
	})
}

func TestSetupErrorsExitWith125(t *testing.T) {
	w := newWorld(t)
	socksify := built("socksify")
	for _, c := range []struct {
		argv []string
		says string
	}{
		{[]string{socksify, "true"}, "no gateway"},
		{[]string{socksify, "-gateway", "http://192.0.2.1:3128", "true"}, "unknown scheme"},
		{[]string{socksify, "-gateway", "socks5://user:secret@192.0.2.1:bad", "true"}, "gateway URL"},
		{[]string{socksify, "-by", "magic", "true"}, "-by"},
		{[]string{socksify, "-gateway", "socks5://192.0.2.1"}, "no program"},
		{[]string{socksify, "-nonsense", "true"}, "nonsense"},
		{[]string{socksify, "-host", "0", "true"}, "want a port"},
	} {
		res := run{bare: true}.do(w, c.argv...)
		require.Equal(t, 125, res.code, "%q: %s", c.argv, res.stderr)
		require.Contains(t, res.stderr, c.says)
		require.NotContains(t, res.stderr, "secret")
		require.Empty(t, res.stdout)
	}
}

// Signals that are sent only to socksify reach the program.
func TestSignalsAreForwarded(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		for _, name := range []string{"TERM", "INT", "HUP", "USR1", "USR2", "QUIT"} {
			cmd := run{way: way}.command(w, "sh", "-c", "trap 'echo got "+name+"; exit 3' "+name+"; echo ready; while :; do sleep 0.05; done")
			p := startPiped(w, cmd)
			p.await(t, "ready")
			require.NoError(t, cmd.Process.Signal(signals[name]))
			require.Equal(t, 3, p.wait(), name)
			require.Contains(t, p.output(), "got "+name)
		}
	})
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "QUIT": syscall.SIGQUIT,
}

// A daemon goes on working after the main program has ended; socksify returns at once.
func TestDaemonOutlivesTheProgram(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		file := w.dir + "/fetched"
		res := run{way: way}.do(w, built("client"), "daemon", "http://www.test/", file)
		require.Zero(t, res.code, res.stderr)
		require.NoFileExists(t, file, "waited for the daemon")
		require.Eventually(t, func() bool {
			b, err := os.ReadFile(file)
			return err == nil && string(b) == page
		}, 10*time.Second, 20*time.Millisecond)
		w.requireNoLeak()
	})
}

func TestProgramInheritsDescriptors(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		socksify := quoted(run{way: way}.socksify()) + " "
		for script, prints := range map[string]string{
			"exec 3< <(echo three); " + socksify + "cat /dev/fd/3 <(echo substituted)": "three\nsubstituted\n",
			socksify + "cat <&-; echo $?":                                    "0\n",
			socksify + "sh -c 'exec >/dev/null 2>&1; sleep 30 & echo' | cat": "", // the pipe ends when the program closes it
			"a=$(bash -c 'ls /proc/self/fd'); b=$(bash -c '" + socksify + "ls /proc/self/fd'); test \"$a\" = \"$b\" && echo equal": "equal\n",
		} {
			res := run{bare: true}.do(w, "bash", "-c", script)
			require.Zero(t, res.code, "%s: %s", script, res.stderr)
			require.Equal(t, prints, strings.ReplaceAll(res.stdout, "-: Bad file descriptor\n", ""), script)
			for _, p := range processes("sleep") {
				killProcess(t, p)
			}
		}
	})
}

func killProcess(t *testing.T, process string) {
	var pid int
	_, err := fmt.Sscanf(process, "/proc/%d ", &pid)
	require.NoError(t, err)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func TestNestedRunExecutesTheProgram(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		gateway := "socks5://" + gatewayIP + ":1080"
		for _, inner := range [][]string{{built("socksify")}, {built("socksify"), "-gateway", gateway}} {
			res := run{way: way}.do(w, append(inner, "curl", "-sS", "http://www.test/")...)
			require.Zero(t, res.code, res.stderr)
			require.Equal(t, page, res.stdout)
		}
		res := run{way: way}.do(w, built("socksify"), "-gateway", "socks5://192.0.2.1", "true")
		require.Equal(t, 125, res.code)
		require.Contains(t, res.stderr, "-via")

		// The variable SOCKSIFY alone does not make a run nested.
		res = run{way: way, env: []string{"SOCKSIFY=1"}}.do(w, "curl", "-sS", "http://www.test/")
		require.Zero(t, res.code, res.stderr)
		w.requireNoLeak()
	})
}

func TestManyRunsAtOnce(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		const launches = 200
		var wg sync.WaitGroup
		failed := make(chan string, launches)
		for range launches {
			wg.Go(func() { // ends with its program
				cmd := run{way: way}.command(w, "sh", "-c", "exit 5")
				var stderr strings.Builder
				cmd.Stderr = &stderr
				var err error
				w.within(func() { err = cmd.Start() })
				if err == nil {
					_ = cmd.Wait()
				}
				if err != nil || cmd.ProcessState.ExitCode() != 5 {
					failed <- fmt.Sprint(err, cmd.ProcessState, stderr.String())
				}
			})
		}
		wg.Wait()
		close(failed)
		for what := range failed {
			t.Error(what)
		}
	})
}

// If the front is killed, the program is killed too.
func TestKilledFrontKillsTheProgram(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		cmd := run{way: way}.command(w, "sh", "-c", "echo ready; while :; do sleep 0.05; done")
		p := startPiped(w, cmd)
		p.await(t, "ready")
		require.NoError(t, cmd.Process.Kill())
		p.wait()
	})
}

// If the supervisor is killed, the program has no network, socksify reports the program's end, and no packet leaves.
func TestKilledSupervisorEndsTheNetwork(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		script := "curl -sS http://www.test/; echo ready; read x; curl -sS -m 3 http://" + serverIP + "/ && echo LEAK; curl -sS -m 3 http://www.test/ && echo LEAK; exit 6"
		cmd := run{way: way}.command(w, "bash", "-c", script)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		p := startPiped(w, cmd)
		p.await(t, "ready")
		supervisors := processes("socksify: supervisor")
		require.Len(t, supervisors, 1)
		killProcess(t, supervisors[0])
		_, err = io.WriteString(in, "\n")
		require.NoError(t, err)
		require.Equal(t, 6, p.wait())
		require.Contains(t, p.output(), page)
		require.NotContains(t, p.output(), "LEAK")
		w.requireNoLeak()
	})
}

// The password is not in the program's environment, in any process's arguments, in the log, or in any environment
// that an ordinary user can read.
func TestPasswordIsHidden(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		w.restart(t, func(g *testgw.Gateway) { g.Users = map[string]string{"alice": "geheim"} })
		r := run{way: way, flags: []string{"-v"}, user: true, named: true, env: []string{"ALL_PROXY=socks5://alice:geheim@" + gatewayIP, "http_proxy=http://127.0.0.1:3128", "https_proxy=http://proxy.test:3128"}}
		res := r.do(w, "sh", "-c", `env; curl -sS http://www.test/; cat /proc/[0-9]*/cmdline; cat /proc/$PPID/environ; cat /proc/[0-9]*/environ 2>/dev/null`)
		require.Contains(t, res.stdout, page, res.stderr)
		require.NotContains(t, res.stdout+res.stderr, "geheim")
		require.Contains(t, res.stdout, "https_proxy=")
		require.NotContains(t, res.stdout, "\nhttp_proxy=")
		require.Contains(t, res.stdout, "SOCKSIFY=1")
	})
}
