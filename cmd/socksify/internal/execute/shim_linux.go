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

// Program is the program that a [Shim] executes.
type Program struct {
	Path string
	Argv []string
	Env  []string
}

// Shim is the supervisor's handle of a process between its start and the exec of the program.
type Shim struct {
	pid     int
	channel *channel.Conn
}

// Start starts this binary as a shim, with argv0 as its argv[0], which selects the kind of shim, and the
// attributes attr. It sends config to the shim, waits for the end of its set-up, and returns the shim and its
// files. If a step fails, Start leaves no process.
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

// Process returns the ID of the process that becomes the program.
func (s *Shim) Process() int { return s.pid }

// await sends config, waits until the shim is ready, and returns its files.
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

// Release makes the shim execute the program, and returns after exec. If that fails, it returns the exit code and an
// error.
func (s *Shim) Release() (code int, err error) {
	defer s.channel.Close()
	if err := s.channel.Send(channel.Message{Kind: channel.Go}); err != nil {
		return 0, nil // the shim was killed, which its status will show
	}
	m, _, err := s.channel.Receive()
	if err == nil && m.Kind == channel.Failed {
		return m.Code, errors.New(m.Text)
	}
	return 0, nil // the channel ended with exec, or with the shim
}

// Discard kills a shim in place of Release, and waits for its end.
func (s *Shim) Discard() {
	_ = s.channel.Close()
	_ = syscall.Kill(s.pid, syscall.SIGKILL)
	for {
		if _, err := syscall.Wait4(s.pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

// Become runs in the shim: it calls setUp, sends the files, waits for Go, calls giveUp to drop privileges that the
// program must not have, and executes the program. It returns only if a step fails: it then sends the error to the
// supervisor and returns the exit code. The caller must have locked the thread.
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
	m, _, err := c.Receive()
	if err == nil && m.Kind != channel.Go {
		err = fmt.Errorf("%q instead of %q", m.Kind, channel.Go)
	}
	if err != nil {
		return report(c, ExitSetup, err)
	}
	if err := giveUp(); err != nil {
		return report(c, ExitSetup, err)
	}
	code, err := Exec(path, argv)
	return report(c, code, err)
}

// report sends a failure to the supervisor and returns code.
func report(c *channel.Conn, code int, err error) int {
	_ = c.Send(channel.Message{Kind: channel.Failed, Text: err.Error(), Code: code})
	return code
}
