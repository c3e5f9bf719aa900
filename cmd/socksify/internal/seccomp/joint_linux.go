package seccomp

import (
	"net"
	"time"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/cmd/socksify/internal/relay"
)

// joint is a connection of the program with its connection to the gateway.
type joint struct {
	relay.Relay
	program *net.TCPConn
	gateway net.Conn
	d       policy.Destination
	who     string
	began   time.Time
}

// cut closes both connections.
func (j *joint) cut() {
	_ = j.program.Close()
	_ = j.gateway.Close()
}

// add adds j to the open joints, and cuts it after Close.
func (s *Session) add(j *joint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[j] = struct{}{}
	if s.ctx.Err() != nil {
		j.cut()
	}
}

// carry relays until both directions of j have ended, and logs the end.
func (s *Session) carry(j *joint) {
	sent, received := j.Run(j.program, j.gateway)
	s.mu.Lock()
	delete(s.open, j)
	s.mu.Unlock()
	s.policy.Log.Ended("tcp", j.d, j.who, j.began, sent, received)
}

// drainTimeout bounds Drain.
const drainTimeout = time.Minute

// Drain waits until all data that the ended processes sent has been passed on, for at most a minute.
func (s *Session) Drain() {
	deadline := time.Now().Add(drainTimeout)
	for pause := time.Millisecond; s.unsent() > 0 && time.Now().Before(deadline); pause = min(2*pause, 50*time.Millisecond) {
		time.Sleep(pause)
	}
}

// unsent returns the number of connections with bytes of the program that are not passed on yet.
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
