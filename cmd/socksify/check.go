//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/namespace"
	"github.com/sockslib/sockslib/cmd/socksify/internal/seccomp"
	"github.com/sockslib/sockslib/socks"
)

// checkTimeout bounds the request of -check to the gateway.
const checkTimeout = 10 * time.Second

// check prints which ways work on this system and whether the gateway answers. It returns the exit code: 0 if a
// program could run.
func check(o *options) int {
	report := func(what string, err error, means ...string) bool {
		outcome := strings.Join(append([]string{"yes"}, means...), ", ")
		if err != nil {
			outcome = "no: " + err.Error()
		}
		fmt.Printf("%-10s %s\n", what, outcome)
		return err == nil
	}
	possible := report(byNamespace, namespace.Probe())
	means, err := seccomp.Probe()
	possible = report(bySeccomp, err, means) || possible
	if err := o.complete(); err != nil {
		report("gateway", err)
		return execute.ExitSetup
	}
	tcp, udp := askGateway(o)
	report("gateway", tcp)
	if tcp == nil {
		report("udp", udp)
	}
	if !possible || tcp != nil {
		return execute.ExitSetup
	}
	return 0
}

// askGateway sends the gateway a UDP ASSOCIATE. Even a refusal shows that the gateway works, so tcp is nil for a
// reply.
func askGateway(o *options) (tcp, udp error) {
	d, err := newDialer(o)
	if err != nil {
		return err, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	c, err := d.ListenPacket(ctx, "udp", "")
	if err == nil {
		return nil, c.Close()
	}
	var reply socks.Reply
	if errors.As(err, &reply) {
		return nil, err
	}
	return err, err
}
