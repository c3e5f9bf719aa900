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

// outcome judges the result of a request. It returns an error if the result is wrong.
type outcome func(heard string, err error) error

// whole is the outcome of a request that succeeds.
func whole(heard string, err error) error {
	if err != nil || heard != said {
		return errors.New("not the destination's data")
	}
	return nil
}

// fails returns the outcome of a request whose error matches all of classes.
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

// timesOut is the outcome of a request that ends by its context, or by the deadline of a Listener or connection.
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

// either returns an outcome that accepts what a or b accepts.
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

// inTheTable returns an error if err is not a documented one.
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
		syscall.ECONNRESET, // a reset of the stream
		io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, class) {
			return nil
		}
	}
	return errors.New("not one of the documented errors")
}
