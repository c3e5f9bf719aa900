package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// steps prints each step and its time. It is safe for concurrent use: the http.Transport dials in another goroutine.
type steps struct {
	out   io.Writer // nil: steps are not printed
	begun time.Time

	mu   sync.Mutex
	seen map[string]bool
}

func newSteps(verbose bool, out io.Writer) *steps {
	s := &steps{begun: time.Now(), seen: make(map[string]bool)}
	if verbose {
		s.out = out
	}
	return s
}

func (s *steps) step(what, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[what] = true
	if s.out != nil {
		fmt.Fprintf(s.out, "%9.3f ms  %-13s  %s\n", float64(time.Since(s.begun).Microseconds())/1000, what, fmt.Sprintf(format, args...))
	}
}

// reached returns what the request was waiting for. The request may be sent before the gateway has accepted the
// credentials.
func (s *steps) reached() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.seen["answer"]:
		return "the rest of the answer"
	case s.seen["connected"]:
		return "the server to answer"
	case s.seen["authenticated"] && s.seen["request"]:
		return "the gateway to connect to the destination"
	case s.seen["gateway"]:
		return "the gateway to let us in"
	}
	return "the gateway to be reached"
}

func (s *steps) trace() *socks.Trace {
	return &socks.Trace{
		GatewayConnected: func(gateway net.Addr, took time.Duration, err error) {
			if err == nil {
				s.step("gateway", "%s connected in %v", gateway, took.Round(time.Microsecond))
			}
		},
		MethodChosen: func(method byte) { s.step("method", "%s", methodName(method)) },
		Authenticated: func(_ byte, err error) {
			if err == nil {
				s.step("authenticated", "the gateway lets us in")
			}
		},
		RequestSent: func(command string, dst *socks.Addr) { s.step("request", "%s %s", command, dst) },
		Replied: func(_ string, _, bound *socks.Addr, err error) {
			if err == nil {
				s.step("reply", "granted; the gateway connects from %s", bound)
			} else {
				s.step("reply", "%v", err)
			}
		},
	}
}

// methodName returns the name of an authentication method, RFC 1928, section 3.
func methodName(method byte) string {
	switch method {
	case 0:
		return "no authentication"
	case 2:
		return "user and password"
	}
	return fmt.Sprintf("%#02x", method)
}
