package namespace

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/cmd/socksify/internal/relay"
)

// Session is a program in its namespaces, with its network.
type Session struct {
	*execute.Shim
	files   []*os.File // from the shim: see prepare
	setup   Setup
	policy  *policy.Policy
	publish []net.Listener

	network *network
	link    *link
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Start clones the shim, waits until it has set up the namespaces, and returns the session. The program does not run
// before Release. If a step fails, Start leaves nothing behind, so that the caller can try another way.
func Start(program execute.Program, p *policy.Policy, host []uint16, publish []net.Listener) (*Session, error) {
	s := &Session{policy: p, publish: publish, setup: Setup{Host: host, Publish: len(publish) > 0}}
	var err error
	if s.Shim, s.files, err = clone(program, s.setup); err != nil {
		return nil, err
	}
	if len(s.files) != 1+nameServerSockets+len(host) {
		err = fmt.Errorf("%d descriptors from the shim", len(s.files))
		s.closeFiles()
		s.Discard()
		return nil, err
	}
	return s, nil
}

// Serve starts to serve the program's packets, until Close.
func (s *Session) Serve() error {
	p := *s.policy
	p.Own = append(p.Own, device4, server4, device6, server6)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.link, err = newLink(s.files[0]); err != nil {
		return err
	}
	if s.network, err = newNetwork(&p, s.link, s.link.send); err != nil {
		return err
	}
	if err := s.serveNames(); err != nil {
		return err
	}
	return s.serveHost()
}

// serveNames starts to answer DNS queries on the sockets that the shim has bound.
func (s *Session) serveNames() error {
	for i := 1; i < 1+nameServerSockets; i += 2 {
		packets, err := net.FilePacketConn(s.files[i])
		if err != nil {
			return err
		}
		stream, err := net.FileListener(s.files[i+1])
		if err != nil {
			packets.Close()
			return err
		}
		s.network.dns.listen(packets, stream)
	}
	return nil
}

// serveHost starts to serve the ports of -host and -publish.
func (s *Session) serveHost() error {
	for i, port := range s.setup.Host {
		l, err := net.FileListener(s.files[1+nameServerSockets+i])
		if err != nil {
			return err
		}
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
		s.serve(l, func(ctx context.Context) (relay.Stream, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", at)
			if err != nil {
				return nil, err
			}
			return c.(*net.TCPConn), nil
		}, "host "+at)
	}
	for _, l := range s.publish {
		port := l.Addr().(*net.TCPAddr).Port
		s.serve(l, func(ctx context.Context) (relay.Stream, error) {
			c, err := s.network.tcp.dial(ctx, uint16(port))
			if err != nil {
				return nil, err
			}
			return c, nil
		}, "published "+l.Addr().String())
	}
	s.closeFiles()
	return nil
}

// serve relays each connection that l accepts to a connection from dial, until Close.
func (s *Session) serve(l net.Listener, dial func(context.Context) (relay.Stream, error), what string) {
	stop := context.AfterFunc(s.ctx, func() { l.Close() })
	s.running.Go(func() { // owned by s; ends with Close
		defer stop()
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of descriptors, for a moment perhaps
				time.Sleep(10 * time.Millisecond)
				continue
			}
			s.running.Go(func() { s.join(c, dial, what) }) // ends with the connection, or with Close
		}
	})
}

// join relays between c and a connection from dial.
func (s *Session) join(c net.Conn, dial func(context.Context) (relay.Stream, error), what string) {
	defer c.Close()
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second) // both ends are on this machine
	defer cancel()
	other, err := dial(ctx)
	if err != nil {
		s.policy.Log.Printf("%s → %v", what, err)
		return
	}
	stop := context.AfterFunc(s.ctx, func() { c.Close(); other.Close() })
	defer stop()
	var r relay.Relay
	sent, received := r.Run(other, c)
	s.policy.Log.Printf("%s ended: %d bytes sent, %d received", what, sent, received)
}

// drainTimeout bounds Drain, like the kernel's timeout for orphaned connections. drainQuiet is the time for which
// Drain keeps the associations after the last datagram.
const (
	drainTimeout = time.Minute
	drainQuiet   = 300 * time.Millisecond
)

// Drain waits until all data that the ended processes sent has been passed on, for at most a minute.
func (s *Session) Drain() {
	deadline := time.Now().Add(drainTimeout)
	for pause := time.Millisecond; time.Now().Before(deadline); pause = min(2*pause, 50*time.Millisecond) {
		if !s.link.waiting() && s.network.tcp.unsent() == 0 && s.network.udp.unsent() == 0 && s.settled() {
			return
		}
		time.Sleep(pause)
	}
}

// settled reports whether the last datagram is old enough that the end of its association cannot overtake it.
func (s *Session) settled() bool {
	return s.network.udp.count() == 0 || s.network.udp.quietFor() > drainQuiet
}

// Close ends the network and its connections, and waits for their goroutines.
func (s *Session) Close() {
	s.cancel()
	for _, l := range s.publish {
		l.Close()
	}
	s.network.Close()
	s.running.Wait()
}

func (s *Session) closeFiles() {
	for _, f := range s.files {
		f.Close()
	}
	s.files = nil
}

// Probe takes every step of [Start] and undoes it.
func Probe() error {
	s, err := Start(execute.Program{Path: "/", Argv: []string{""}}, nil, nil, nil)
	if err != nil {
		return err
	}
	s.closeFiles()
	s.Discard()
	return nil
}
