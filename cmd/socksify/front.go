//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/channel"
	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
)

// frontProcess is the process that the user started. It forwards signals, stops when the program stops, and ends
// like the program. It never becomes the program itself: the supervisor's child does.
type frontProcess struct {
	c          *channel.Conn
	supervisor int
	program    int // process ID; 0: not started yet
}

// front runs the program and returns its exit code, or dies by the signal that killed the program.
func front(o *options, path string) int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, forwarded()...)
	// If the supervisor is killed, the program becomes a child of this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fail(os.NewSyscallError("prctl", err))
	}
	f := &frontProcess{}
	if err := f.start(o, path); err != nil {
		return fail(err)
	}
	messages := make(chan channel.Message)
	go func() { // ends with the channel, or with the process
		defer close(messages)
		for {
			m, _, err := f.c.Receive()
			if err != nil {
				return
			}
			messages <- m
		}
	}()
	for {
		select {
		case s := <-signals:
			f.forward(s)
		case m, ok := <-messages:
			if !ok {
				return f.orphaned(signals)
			}
			if code, ended := f.message(m); ended {
				return code
			}
		}
	}
}

// start starts the supervisor. It sends the options over the channel, because arguments and environments are public.
func (f *frontProcess) start(o *options, path string) error {
	c, end, err := channel.Pair()
	if err != nil {
		return err
	}
	env := programEnviron(os.Environ(), publicNames(o.Via, o.Gateways))
	f.supervisor, err = syscall.ForkExec("/proc/self/exe", append([]string{supervisorName, strconv.Itoa(end), path}, o.program...),
		&syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}})
	unix.Close(end)
	if err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	f.c = c
	return c.Configure(o)
}

// message handles a message from the supervisor. It reports whether the run has ended, and returns its exit code.
func (f *frontProcess) message(m channel.Message) (code int, ended bool) {
	switch m.Kind {
	case channel.Failed:
		fail(errors.New(m.Text))
		return m.Code, true
	case channel.Forked:
		f.program = m.Process
		// The program must not read the gateway's password in this process's environment.
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	case channel.Started:
		detach()
	case channel.Stopped:
		raiseDefault(m.Signal)
	case channel.Exited:
		return exit(m.Status), true
	}
	return 0, false
}

// forward sends a signal to the program by the supervisor, unless the terminal has sent it to the program too.
func (f *frontProcess) forward(s os.Signal) {
	if number, ok := s.(syscall.Signal); ok && !fromTerminal(s) {
		_ = f.c.Send(channel.Message{Kind: channel.Signal, Signal: number})
	}
}

// orphaned waits for the program after the supervisor has been killed. The program has no network then.
func (f *frontProcess) orphaned(signals <-chan os.Signal) int {
	_, _ = wait(f.supervisor) // the program is then a child of this process
	if f.program == 0 {
		return fail(errors.New("the supervisor was killed"))
	}
	ended := make(chan int, 1)
	go func() { // ends with the program
		status, err := wait(f.program)
		if err != nil {
			ended <- execute.ExitSetup
			return
		}
		ended <- exit(status)
	}()
	for {
		select {
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok && !fromTerminal(s) {
				_ = syscall.Kill(f.program, number)
			}
		case code := <-ended:
			return code
		}
	}
}

// wait waits for the end of a child and returns its status.
func wait(pid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return status, err
		}
	}
}

// exit returns the exit code of a status, or ends this process by the status's signal.
func exit(status syscall.WaitStatus) int {
	if status.Signaled() {
		return dieBy(status.Signal())
	}
	return status.ExitStatus()
}
