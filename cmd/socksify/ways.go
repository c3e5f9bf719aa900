//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/namespace"
	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/cmd/socksify/internal/seccomp"
)

// way is a program whose network goes through the gateway, by namespaces or by seccomp. Its methods are called in
// this order.
type way interface {
	Process() int                   // returns the ID of the process that becomes the program
	Serve() error                   // starts to serve its network
	Release() (code int, err error) // lets the process execute the program
	Drain()                         // after the end of all processes: waits until their data has been passed on
	Close()                         // ends the network
}

// start prepares a program in the way that o asks for. After one way has succeeded, no other way is tried.
func start(o *options, program execute.Program, p *policy.Policy, publish []net.Listener) (way, error) {
	if o.By == bySeccomp {
		w, err := bySeccompStart(o, program, p, publish)
		if err != nil {
			return nil, err // not w: a way with a nil *Session is not nil
		}
		p.Log.Printf("by seccomp, %s", w.Means())
		return w, nil
	}
	w, err := namespace.Start(program, p, o.Host, publish)
	if err == nil {
		p.Log.Printf("by namespace")
		return w, nil
	}
	err = fmt.Errorf("namespace: %w", err)
	if o.By == byNamespace {
		return nil, err
	}
	second, err2 := bySeccompStart(o, program, p, publish)
	if err2 != nil {
		return nil, fmt.Errorf("no way works here\n  %w\n  %w\nsee socksify -check", err, err2)
	}
	p.Log.Printf("by seccomp, %s; %v", second.Means(), err)
	return second, nil
}

// bySeccompStart prepares a program in the seccomp way. It fails for -host and -publish.
func bySeccompStart(o *options, program execute.Program, p *policy.Policy, publish []net.Listener) (*seccomp.Session, error) {
	if len(o.Host) > 0 || len(publish) > 0 {
		return nil, errors.New("seccomp: -host and -publish are for the namespace way; in this one the program's 127.0.0.1 is this machine's")
	}
	w, err := seccomp.Start(program, p)
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return w, nil
}
