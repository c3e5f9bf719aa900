// Package execute finds and executes programs, with the exit codes of env, timeout and docker.
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

// Find returns the path of a program, searched as by execvp, or the exit code and an error.
func Find(name string) (path string, code int, err error) {
	if name == "" {
		return "", ExitNotFound, errors.New("empty program name")
	}
	path, err = exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil // as execvp does: the directory is in the user's PATH
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

// executableDenied reports whether a directory of PATH has a file with this name, which then is not executable.
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

// Exec replaces this process by the program, with the same environment. It returns only if that fails, with the
// exit code. Like execvp, it passes a file of unknown format to the shell.
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
