//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/sockslib/sockslib/cmd/socksify/internal/namespace"
	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
)

// way is one way to catch a program's network, for one program. Its methods are called in this order.
type way interface {
	Process() int                   // the process that becomes the program
	Serve() error                   // begin to be its network
	Execute() (code int, err error) // let it execute the program
	Drain()                         // after its end: wait until what it sent has been passed on
	Close()                         // end everything
}

type program struct {
	path string
	argv []string
	env  []string
}

// start prepares a program in the way that options ask for. No way is tried after another has started the program.
func start(o *options, run program, p *policy.Policy, publish []net.Listener) (way, error) {
	if o.By == bySeccomp {
		return nil, errors.New("seccomp: " + errSeccomp.Error())
	}
	w, err := namespace.Start(namespace.Program{Path: run.path, Argv: run.argv, Env: run.env}, p, o.Host, publish)
	if err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	p.Log.Printf("by namespace")
	return w, nil
}

var errSeccomp = errors.New("not available in this version")
