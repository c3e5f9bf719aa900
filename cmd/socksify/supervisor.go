//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/channel"
	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

// supervisorName is argv[0] of the supervisor.
const supervisorName = "socksify: supervisor"

// supervisor starts the program and serves its network until the last process of its tree has ended. It is in its
// own session, so that the terminal's signals and hang-up do not reach it.
type supervisor struct {
	c     *channel.Conn
	front int

	mu      sync.Mutex // held to reap and to kill, so that no reaped process is killed
	program int        // process ID; 0: not started, or reaped
}

func newSupervisor(c *channel.Conn) *supervisor { return &supervisor{c: c, front: os.Getppid()} }

// run runs the program and returns the exit code of the supervisor, which the front ignores.
func (s *supervisor) run(path string, argv []string) int {
	runtime.LockOSThread() // the kernel associates children with the thread that made them
	s.ignoreSignals()
	code, err := s.supervise(path, argv)
	if err != nil {
		_ = s.c.Send(channel.Message{Kind: channel.Failed, Text: err.Error(), Code: code})
	}
	return code
}

// ignoreSignals catches the signals that are sent to the front's process group while this process belongs to it.
// It does not use signal.Ignore, because the program would inherit that.
func (s *supervisor) ignoreSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, forwarded()...)
	go func() { // ends with the process
		for range signals {
		}
	}()
}

// supervise starts the program, serves its network, and waits for the end of its tree. The order matters: the process of
// the program starts while the supervisor is still in the user's session, the supervisor then leaves the session, and the
// program runs only when its network is ready.
func (s *supervisor) supervise(path string, argv []string) (code int, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return execute.ExitSetup, os.NewSyscallError("prctl", err)
	}
	var o options
	if err := s.c.Configuration(&o); err != nil {
		return execute.ExitSetup, err
	}
	p, publish, err := prepare(&o)
	if err != nil {
		return execute.ExitSetup, err
	}
	run, err := start(&o, execute.Program{Path: path, Argv: argv, Env: os.Environ()}, p, publish)
	if err != nil {
		return execute.ExitSetup, err
	}
	s.program = run.Process()
	_ = s.c.Send(channel.Message{Kind: channel.Forked, Process: s.program})
	_, _ = unix.Setsid()
	detach()
	// The program runs as the same user, and must not read the gateway's password in this process's memory.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if err := run.Serve(); err != nil {
		s.kill(unix.SIGKILL)
		return execute.ExitSetup, err
	}
	if code, err := run.Release(); err != nil {
		return code, err
	}
	_ = s.c.Send(channel.Message{Kind: channel.Started})
	go s.obey() // ends with the front, or with the process
	s.wait()
	run.Drain()
	run.Close()
	return 0, nil
}

// prepare returns the policy and the listeners of -publish, which both ways need.
func prepare(o *options) (*policy.Policy, []net.Listener, error) {
	log, err := openLog(o)
	if err != nil {
		return nil, nil, err
	}
	d, err := newDialer(o)
	if err != nil {
		return nil, nil, err
	}
	var publish []net.Listener
	for _, port := range o.Publish {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err != nil {
			return nil, nil, fmt.Errorf("-publish: %w", err)
		}
		publish = append(publish, l)
	}
	return &policy.Policy{Dialer: d, Timeout: o.Timeout, Log: log}, publish, nil
}

// openLog returns the log that o asks for, or nil for none.
func openLog(o *options) (*policy.Log, error) {
	var to []io.Writer
	if o.Verbose {
		fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		to = append(to, os.NewFile(uintptr(fd), "stderr"))
	}
	if o.LogFile != "" {
		f, err := os.OpenFile(o.LogFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		to = append(to, f)
	}
	if len(to) == 0 {
		return nil, nil
	}
	return policy.NewLog(io.MultiWriter(to...), o.LogFile != ""), nil
}

// obey handles the messages of the front. If the front ends before the program, it was killed; obey then kills the
// program, but not the daemons that the program has started.
func (s *supervisor) obey() {
	for {
		m, _, err := s.c.Receive()
		if err != nil {
			s.kill(unix.SIGKILL)
			return
		}
		if m.Kind == channel.Signal {
			s.kill(m.Signal)
		}
	}
}

// kill sends a signal to the program, unless it has been reaped.
func (s *supervisor) kill(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.program != 0 {
		_ = unix.Kill(s.program, sig)
	}
}

// siginfoPid is the offset of the process ID in siginfo_t on systems with 64-bit pointers.
const siginfoPid = 16

// wait reaps the processes of the tree until none is left.
func (s *supervisor) wait() {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WSTOPPED|unix.WCONTINUED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		pid := *(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoPid))
		if !s.reap(int(pid)) {
			return
		}
	}
}

// reap takes the status of a process that waitid has returned, and reports it if the process is the program. It
// returns false if wait4 fails.
func (s *supervisor) reap(pid int) bool {
	var status syscall.WaitStatus
	s.mu.Lock()
	n, err := syscall.Wait4(pid, &status, syscall.WNOHANG|syscall.WUNTRACED|unix.WCONTINUED, nil)
	ours := pid == s.program
	if n == pid && ours && (status.Exited() || status.Signaled()) {
		s.program = 0
	}
	s.mu.Unlock()
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return false
	}
	if n == pid && ours {
		s.report(status)
	}
	return true
}

// report informs the front that the program has stopped, continued or ended.
func (s *supervisor) report(status syscall.WaitStatus) {
	switch {
	case status.Stopped():
		_ = s.c.Send(channel.Message{Kind: channel.Stopped, Signal: status.StopSignal()})
	case status.Continued():
		if os.Getppid() == s.front { // the front may be stopped and then reads no messages
			_ = unix.Kill(s.front, unix.SIGCONT)
		}
	default:
		_ = s.c.Send(channel.Message{Kind: channel.Exited, Status: status})
	}
}
