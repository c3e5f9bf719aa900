package seccomp

import (
	"net"
	"time"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/cmd/socksify/internal/relay"
)

// joint is a connection of the program joined with one to the gateway.
type joint struct {
	relay.Relay
	program *net.TCPConn
	gateway net.Conn
	d       policy.Destination
	who     string
	began   time.Time
}

// cut ends a joint at once.
func (j *joint) cut() {
	_ = j.program.Close()
	_ = j.gateway.Close()
}

// add counts a joint as open.
func (s *Session) add(j *joint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[j] = struct{}{}
	if s.ctx.Err() != nil {
		j.cut()
	}
}

// carry relays until both sides have ended.
func (s *Session) carry(j *joint) {
	sent, received := j.Run(j.program, j.gateway)
	s.mu.Lock()
	delete(s.open, j)
	s.mu.Unlock()
	s.policy.Log.Ended("tcp", j.d, j.who, j.began, sent, received)
}

// Bounds of Drain: how long what processes sent before they ended may take to go out.
const drainTimeout = time.Minute

// Drain waits until what the ended processes sent has been passed on.
func (s *Session) Drain() {
	deadline := time.Now().Add(drainTimeout)
	for pause := time.Millisecond; s.unsent() > 0 && time.Now().Before(deadline); pause = min(2*pause, 50*time.Millisecond) {
		time.Sleep(pause)
	}
}

func (s *Session) unsent() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = int(s.granted.Load())
	for j := range s.open {
		if !j.Sent() {
			n++
		}
	}
	return n
}
