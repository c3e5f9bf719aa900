package execute

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/channel"
)

// Program is the program that a shim executes.
type Program struct {
	Path string
	Argv []string
	Env  []string
}

// Shim is a process between its start and exec, as the supervisor sees it.
type Shim struct {
	pid     int
	channel *channel.Conn
}

// Start starts this binary as a shim: argv0 says of which kind, attr in which namespaces, and config is sent to it. It
// returns the shim and its files once the shim has set everything up. If any step fails, nothing is left.
func Start(p Program, argv0 string, attr *syscall.SysProcAttr, config any) (*Shim, []*os.File, error) {
	c, end, err := channel.Pair()
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(end)
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{argv0, strconv.Itoa(end), p.Path}, p.Argv...),
		&syscall.ProcAttr{Env: p.Env, Files: []uintptr{0, 1, 2}, Sys: attr})
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	s := &Shim{pid, c}
	files, err := s.await(config)
	if err != nil {
		s.Discard()
		return nil, nil, err
	}
	return s, files, nil
}

// Process returns the process that becomes the program.
func (s *Shim) Process() int { return s.pid }

// await returns the files of a shim that is ready.
func (s *Shim) await(config any) ([]*os.File, error) {
	if err := s.channel.Configure(config); err != nil {
		return nil, err
	}
	m, files, err := s.channel.Receive()
	switch {
	case err == io.EOF:
		return nil, errors.New("the shim ended during its set-up")
	case err != nil:
		return nil, err
	case m.Kind == channel.Failed:
		return nil, errors.New(m.Text)
	}
	return files, nil
}

// Release lets the shim execute the program, and returns when it has. An error comes with the exit code.
func (s *Shim) Release() (code int, err error) {
	defer s.channel.Close()
	if err := s.channel.Send(channel.Message{Kind: channel.Go}); err != nil {
		return 0, nil // it was killed: waiting for it tells
	}
	m, _, err := s.channel.Receive()
	if err == nil && m.Kind == channel.Failed {
		return m.Code, errors.New(m.Text)
	}
	return 0, nil // the channel ended with exec, or with the shim
}

// Discard kills a shim that will not be released, and waits for its end.
func (s *Shim) Discard() {
	_ = s.channel.Close()
	_ = syscall.Kill(s.pid, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(s.pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

// Become is the shim's side: it calls setUp, sends the files, waits for Go, calls giveUp to drop what the program must not
// have, and executes the program. It returns only if a step fails, with the exit code, after it has told the supervisor.
// The caller has locked the thread.
func Become(c *channel.Conn, path string, argv []string, setUp func() ([]*os.File, error), giveUp func() error) int {
	files, err := setUp()
	if err == nil {
		err = c.Send(channel.Message{Kind: channel.Ready}, files...)
	}
	if err != nil {
		return report(c, ExitSetup, err)
	}
	for _, f := range files {
		f.Close()
	}
	if m, _, err := c.Receive(); err != nil || m.Kind != channel.Go {
		return report(c, ExitSetup, fmt.Errorf("%q in place of %q: %w", m.Kind, channel.Go, err))
	}
	if err := giveUp(); err != nil {
		return report(c, ExitSetup, err)
	}
	code, err := Exec(path, argv)
	return report(c, code, err)
}

func report(c *channel.Conn, code int, err error) int {
	_ = c.Send(channel.Message{Kind: channel.Failed, Text: err.Error(), Code: code})
	return code
}
