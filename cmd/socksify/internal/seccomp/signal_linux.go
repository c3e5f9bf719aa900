package seccomp

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A call that waits for the supervisor is not interrupted by signals (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), unless
// they end the process. Without that, Go programs may make no progress: their runtime sends a thread a signal every
// 100 µs to stop it, even while it makes a socket, and the kernel begins the call anew each time. So whatever waits for
// longer looks for signals itself, and ends the call as the kernel would.
const waitKillable = 1 << 5

// look is how often a call that waits is looked at: whether it still waits, and whether a signal does.
const look = 50 * time.Millisecond

// restart is ERESTARTSYS: the kernel runs the handlers, and makes the call again or returns EINTR, as the handlers ask.
const restart = unix.Errno(512)

// interrupted reports whether signals wait for the thread of a call.
func interrupted(n *notification) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.pid))
	return err == nil && signalsWait(string(text))
}

// signalsWait judges a file /proc/PID/status.
func signalsWait(status string) bool {
	mask := func(name string) uint64 {
		_, rest, _ := strings.Cut(status, "\n"+name+":")
		line, _, _ := strings.Cut(rest, "\n")
		m, _ := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
		return m
	}
	return (mask("SigPnd")|mask("ShdPnd"))&^mask("SigBlk") != 0
}

// await answers a blocking connect with the outcome of a dial, or with restart as soon as a signal waits. In that case
// the next connect of the program is told the outcome.
func (s *Session) await(n *notification, cookie uint64, a *attempt) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-a.done:
			s.states.change(cookie, func(st *state) { st.failed, st.untold = 0, false })
			s.listener.answer(n, 0, a.errno)
			return
		case <-tick.C:
			if interrupted(n) && s.leave(cookie, a) {
				s.listener.answer(n, 0, restart)
				return
			}
		}
	}
}

// leave notes that no call waits for a dial any more. It reports false if the dial has ended.
func (s *Session) leave(cookie uint64, a *attempt) (left bool) {
	s.states.change(cookie, func(st *state) {
		left = st.attempt == a
		a.left = a.left || left
	})
	return left
}
