package faults

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sockslib/sockslib/socks"
)

// The credentials of the whole matrix. No other string in the tests contains them.
const (
	secretUser     = "zaphod-user"
	secretPassword = "p4ss/w0rd?%#"
)

// secretTraces are the credentials as they may be printed.
var secretTraces = func() (all []string) {
	for _, s := range []string{secretUser, secretPassword} {
		b := []byte(s)
		all = append(all, s, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), fmt.Sprintf("% x", b),
			strings.Trim(fmt.Sprint(b), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
			base64.StdEncoding.EncodeToString(b)[:12])
	}
	return all
}()

// sightings records what a Client disclosed: errors, and the arguments of its hooks. It is safe for concurrent
// use.
type sightings struct {
	mu  sync.Mutex
	all []any
}

func (s *sightings) see(things ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, things...)
}

func (s *sightings) trace() *socks.Trace {
	return &socks.Trace{
		GatewayConnected: func(gateway net.Addr, took time.Duration, err error) { s.see(gateway, took, err) },
		MethodChosen:     func(method byte) { s.see(method) },
		Authenticated:    func(method byte, err error) { s.see(method, err) },
		SpareTaken:       func(idle time.Duration) { s.see(idle) },
		RequestSent:      func(command string, dst *socks.Addr) { s.see(command, dst) },
		Replied: func(command string, dst, bound *socks.Addr, err error) {
			s.see(command, dst, bound, err)
		},
		PacketDropped: func(relay net.Addr, reason socks.DropReason) { s.see(relay, reason) },
	}
}

// printed returns everything recorded, printed with several format verbs.
func (s *sightings) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, v := range s.all {
		fmt.Fprintf(&b, "%v %+v %#v %q\n", v, v, v, v)
		if err, ok := v.(error); ok {
			for _, cause := range causes(err) {
				fmt.Fprintf(&b, "%v %+v %#v\n", cause, cause, cause)
			}
		}
	}
	return b.String()
}

// causes returns err and all errors that it wraps.
func causes(err error) []error {
	all := []error{err}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			all = append(all, causes(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, causes(inner)...)
		}
	}
	return all
}

func (s *sightings) requireNoSecret(t testing.TB) {
	t.Helper()
	printed := s.printed()
	for _, trace := range secretTraces {
		if strings.Contains(printed, trace) {
			t.Errorf("a credential is disclosed, as %q, in:\n%s", trace, printed)
		}
	}
}

// requireNothingLogged fails t if a credential was written to the default logs.
func requireNothingLogged(t testing.TB) {
	t.Helper()
	for _, trace := range secretTraces {
		if strings.Contains(logged.String(), trace) {
			t.Errorf("a credential is logged, as %q", trace)
		}
	}
}
