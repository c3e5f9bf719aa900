// Package execute finds and executes programs, with the exit codes that env, timeout and docker have.
package execute

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Exit codes of a program that was not run.
const (
	ExitSetup    = 125 // socksify itself failed
	ExitCannot   = 126 // the program cannot be executed
	ExitNotFound = 127 // there is no such program
)

// Find returns the path of a program as execvp would find it, or the exit code and why not.
func Find(name string) (path string, code int, err error) {
	if name == "" {
		return "", ExitNotFound, errors.New("empty program name")
	}
	path, err = exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil // as execvp: the user's PATH says so
	}
	if err == nil {
		return path, 0, nil
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		if !strings.Contains(name, "/") && executableDenied(name) {
			return "", ExitCannot, fmt.Errorf("%s: %w", name, syscall.EACCES)
		}
		return "", ExitNotFound, fmt.Errorf("%s: %w", name, syscall.ENOENT)
	}
	return "", ExitCannot, fmt.Errorf("%s: %w", name, cause(err))
}

// executableDenied reports whether PATH has the name, which may not be executed.
func executableDenied(name string) bool {
	for dir := range strings.SplitSeq(os.Getenv("PATH"), ":") {
		if info, err := os.Stat(dir + "/" + name); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

func cause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Exec makes this process the program with this process's environment. It returns only when it cannot, with the
// exit code. A file without a known format is given to the shell, as execvp does.
func Exec(path string, argv []string) (code int, err error) {
	err = syscall.Exec(path, argv, os.Environ())
	if err == syscall.ENOEXEC {
		err = syscall.Exec("/bin/sh", append([]string{"sh", path}, argv[1:]...), os.Environ())
	}
	code = ExitCannot
	if err == syscall.ENOENT {
		code = ExitNotFound
	}
	return code, fmt.Errorf("%s: %w", argv[0], err)
}
