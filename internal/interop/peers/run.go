package peers

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Command is a program that runs until it exits.
type Command struct {
	Program string            // required
	Debian  string            // the package that has it
	Args    []string          //
	Env     []string          // KEY=value, added to the environment
	Stdin   string            //
	Files   map[string]string // absolute path of an existing file → content that the program finds there
}

// Output is the output of a Command and its exit code.
type Output struct {
	Stdout, Stderr string
	Code           int // its exit code; -1: killed
}

// Run runs a command at the node. It fails t if the command does not end in time. The caller checks the exit code.
func (n Node) Run(t testing.TB, c Command) Output {
	t.Helper()
	const patience = 15 * time.Second
	program := Program(t, c.Program, c.Debian)
	cmd := n.command(t, c.Files, append([]string{program}, c.Args...))
	cmd.SysProcAttr = endsTogether(t)
	cmd.Env = append(cmd.Env, c.Env...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.Stdin), &stdout, &stderr

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	o := Output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if !stop() {
		t.Fatalf("%s has not ended after %v:\n%s\n%s", c.Program, patience, o.Stdout, o.Stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o
}
