package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"

	"github.com/sockslib/sockslib/cmd/socksify/internal/channel"
	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/namespace"
	"github.com/sockslib/sockslib/cmd/socksify/internal/seccomp"
)

// All processes of a run execute this binary, with different argv[0]: the front, which the user started; the
// supervisor; and the shim, which becomes the program.
func main() {
	var code int
	switch os.Args[0] {
	case supervisorName:
		code = child(func(c *channel.Conn, path string, argv []string) int { return newSupervisor(c).run(path, argv) })
	case namespace.ShimName:
		code = child(namespace.Shim)
	case seccomp.ShimName:
		code = child(seccomp.Shim)
	default:
		code = command(os.Args[1:])
	}
	os.Exit(code)
}

// child runs a supervisor or a shim. Its arguments are the descriptor of its channel, the program's path and the
// program's argv.
func child(run func(*channel.Conn, string, []string) int) int {
	if len(os.Args) < 4 {
		return fail(errors.New("not to be started by hand"))
	}
	fd, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return fail(err)
	}
	c, err := channel.Open(fd)
	if err != nil {
		return fail(err)
	}
	return run(c, os.Args[2], os.Args[3:])
}

// command runs the command line of the front, and returns the exit code.
func command(args []string) int {
	o, err := parse(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return fail(err)
	case o.version:
		fmt.Println("socksify", version())
		return 0
	}
	if o.check {
		return check(o)
	}
	path, code, err := execute.Find(o.program[0])
	if err != nil {
		fail(err)
		return code
	}
	if nested() {
		return nest(o, path)
	}
	if err := o.complete(); err != nil {
		return fail(err)
	}
	return front(o, path)
}

// fail prints an error of socksify itself, and returns the exit code for it.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "socksify:", err)
	return execute.ExitSetup
}
