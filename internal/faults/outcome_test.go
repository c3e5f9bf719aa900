package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/sockslib/sockslib/socks"
)

// outcome judges what a request came to.
type outcome func(heard string, err error) error

// whole is the outcome in which nothing went wrong.
func whole(heard string, err error) error {
	if err != nil || heard != said {
		return errors.New("not what was said")
	}
	return nil
}

// fails is an outcome whose error matches all of these.
func fails(classes ...error) outcome {
	return func(heard string, err error) error {
		for _, class := range classes {
			if !errors.Is(err, class) {
				return fmt.Errorf("not %q", class)
			}
		}
		return nil
	}
}

// timesOut is the end of the context, or of a Listener's or a connection's own deadline.
func timesOut(heard string, err error) error {
	var timeout net.Error
	switch {
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no deadline was exceeded")
	case !errors.As(err, &timeout) || !timeout.Timeout():
		return errors.New("no timeout")
	}
	return nil
}

// either is one of two outcomes.
func either(a, b outcome) outcome {
	return func(heard string, err error) error {
		if first := a(heard, err); first != nil {
			if second := b(heard, err); second != nil {
				return fmt.Errorf("neither %w nor %w", first, second)
			}
		}
		return nil
	}
}

// inTheTable reports why an error is none of API.md's.
func inTheTable(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	if !errors.As(err, &op) && !errors.As(err, &dns) {
		return errors.New("neither a *net.OpError nor a *net.DNSError")
	}
	var reply socks.Reply
	if errors.As(err, &reply) && reply != 0 {
		return nil
	}
	for _, class := range []error{
		socks.ErrGateway, socks.ErrProtocol, socks.ErrAuthFailed, socks.ErrNoAcceptableAuth,
		context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded,
		syscall.ECONNRESET, // of the stream itself
		io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, class) {
			return nil
		}
	}
	return errors.New("none of the table's errors")
}
