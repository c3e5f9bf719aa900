package seccomp

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// waitKillable is SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: only signals that kill the process interrupt a call that
// waits for the supervisor. Without the flag, Go programs may make no progress: their runtime sends a thread a
// signal every 100 µs to preempt it, even while it makes a socket, and the kernel restarts the call each time.
// With the flag, a handler that waits for longer must look for signals itself, and end the call as the kernel
// would.
const waitKillable = 1 << 5

// look is the interval at which a waiting handler checks for signals.
const look = 50 * time.Millisecond

// restart is ERESTARTSYS: the kernel runs the signal handlers, and then restarts the call or returns EINTR, as
// SA_RESTART says.
const restart = unix.Errno(512)

// interrupted reports whether an unblocked signal is pending for the thread of a call.
func interrupted(n *notification) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.pid))
	return err == nil && signalsWait(string(text))
}

// signalsWait reports whether an unblocked signal is pending by the text of /proc/PID/status.
func signalsWait(status string) bool {
	mask := func(name string) uint64 {
		_, rest, _ := strings.Cut(status, "\n"+name+":")
		line, _, _ := strings.Cut(rest, "\n")
		m, _ := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
		return m
	}
	return (mask("SigPnd")|mask("ShdPnd"))&^mask("SigBlk") != 0
}

// await answers a blocking connect with the outcome of a dial, or with restart when a signal is pending. After
// restart, the program's next connect returns the outcome.
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

// leave records that no call waits for a dial any more. It reports false if the dial has ended.
func (s *Session) leave(cookie uint64, a *attempt) (left bool) {
	s.states.change(cookie, func(st *state) {
		left = st.attempt == a
		a.left = a.left || left
	})
	return left
}
