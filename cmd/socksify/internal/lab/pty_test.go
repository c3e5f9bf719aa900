package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a process in the foreground.
type terminal struct {
	*piped
	master *os.File
	read   chan struct{} // closed when the terminal has ended
}

// startTerminal starts a command as the leader of a session on a new terminal.
func startTerminal(t *testing.T, w *world, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	raw, err := master.SyscallConn()
	require.NoError(t, err)
	var number int
	require.NoError(t, raw.Control(func(fd uintptr) {
		err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		if err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}))
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	w.start(cmd)
	term := &terminal{piped: &piped{cmd: cmd}, master: master, read: make(chan struct{})}
	go func() { // ends with the terminal, which the clean-up closes
		defer close(term.read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			_, _ = term.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { master.Close(); <-term.read })
	return term
}

func (term *terminal) typed(t *testing.T, keys string) {
	t.Helper()
	_, err := term.master.WriteString(keys)
	require.NoError(t, err)
}

const (
	ctrlC         = "\x03"
	ctrlZ         = "\x1a"
	ctrlBackslash = "\x1c"
)

// Ctrl-C reaches the program once, from the terminal.
func TestCtrlCReachesTheProgramOnce(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		term := startTerminal(t, w, run{way: way}.command(w, "bash", "-c", `n=0; trap 'n=$((n+1)); echo interrupt $n' INT; echo ready; for i in {1..20}; do sleep 0.05; done; echo $n in all; exit 4`))
		term.await(t, "ready")
		term.typed(t, ctrlC)
		require.Equal(t, 4, term.wait())
		term.await(t, "1 in all")
	})
}

// A program that does not catch the signal dies of it, and socksify dies of the same signal.
func TestCtrlCEndsAProgramAndSocksify(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		for keys, signal := range map[string]syscall.Signal{ctrlC: syscall.SIGINT, ctrlBackslash: syscall.SIGQUIT} {
			term := startTerminal(t, w, run{way: way}.command(w, "sh", "-c", "echo ready; exec sleep 30"))
			term.await(t, "ready")
			time.Sleep(50 * time.Millisecond) // until the shell has executed sleep
			term.typed(t, keys)
			term.wait()
			require.Equal(t, signal, term.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
		}
	})
}

// Ctrl-Z stops the job, the shell reports that, and fg continues it in the foreground, where it reads the terminal.
func TestCtrlZStopsAndFgContinues(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		shell := run{bare: true}.command(w, "bash", "--norc", "-i")
		term := startTerminal(t, w, shell)
		inner := run{way: way}.command(w, "sh", "-c", `echo rea''dy; read x; echo resumed "$x"; exit 8`)
		term.typed(t, quoted(inner.Args)+"; echo code=$?\n")
		term.await(t, "ready")
		time.Sleep(50 * time.Millisecond)
		term.typed(t, ctrlZ)
		term.await(t, "Stopped")
		term.typed(t, "jobs; fg; echo continued=$?\n")
		time.Sleep(100 * time.Millisecond)
		term.typed(t, "line\n")
		term.await(t, "resumed line")
		term.await(t, "continued=8")
		term.typed(t, "\n(exit 9)\nexit\n")
		term.wait()
	})
}

// quoted returns a command quoted for a shell.
func quoted(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}
