package seccomp

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/resolver"
)

// Session is a program under a filter, with the supervisor's handler of its system calls.
type Session struct {
	*execute.Shim
	policy   *policy.Policy
	tags     Tags
	custody  *custody // nil: the supervisor duplicates the program's sockets
	file     *os.File // of the listener
	listener listener
	stop     int // an eventfd; when it is readable, the loop of Serve ends

	dns    *resolver.Server
	name4  netip.AddrPort // the name server's address
	name6  netip.AddrPort // invalid on a machine without IPv6
	lots   lots
	states states
	naming sync.Mutex // held to choose a tag

	ctx     context.Context // of all dials; ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // the loop, the name server, dials and relays

	granted atomic.Int64 // number of connections that the gateway has granted and that are not in open yet
	mu      sync.Mutex
	open    map[*joint]struct{}
}

// Start starts the shim, waits until it has installed the filter, and returns the session. The program does not
// run before Release. If a step fails, Start leaves nothing behind. If the program's sockets cannot be duplicated,
// the supervisor makes them.
func Start(program execute.Program, p *policy.Policy) (*Session, error) {
	s, err := start(program, p, nil)
	if errors.Is(err, errNoDuplicates) {
		s, err = start(program, p, newCustody())
	}
	return s, err
}

func start(program execute.Program, p *policy.Policy, c *custody) (*Session, error) {
	t, err := tags()
	if err != nil {
		return nil, err
	}
	shim, files, err := execute.Start(program, ShimName, nil, setup{t, c != nil})
	if err != nil {
		return nil, err
	}
	s := &Session{Shim: shim, policy: p, tags: t, custody: c, open: map[*joint]struct{}{}}
	if len(files) != 1 {
		err = fmt.Errorf("%d descriptors from the shim", len(files))
	} else {
		s.file = files[0]
		s.listener = listener{int(s.file.Fd())}
		err = mayLook(shim.Process(), c != nil)
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		shim.Discard()
		return nil, err
	}
	return s, nil
}

// Means describes, for the log, how the supervisor gets the program's sockets.
func (s *Session) Means() string {
	if s.custody != nil {
		return "with sockets that it makes for the program, since pidfd_getfd is forbidden here"
	}
	return "with duplicates of the program's sockets"
}

// Probe takes every step of [Start], undoes it, and returns the session's Means.
func Probe() (means string, err error) {
	s, err := Start(execute.Program{Path: "/", Argv: []string{""}}, nil)
	if err != nil {
		return "", err
	}
	s.Discard()
	return s.Means(), s.file.Close()
}

// errNoDuplicates makes Start try again with a custody.
var errNoDuplicates = errors.New("pidfd_getfd is forbidden")

// mayLook returns an error if this process must not read the memory of a process of the program, or cannot get its
// sockets.
func mayLook(pid int, made bool) error {
	if _, err := (memory{pid}).read(0, 1); err != unix.EFAULT {
		return fmt.Errorf("memory of the program: %w (forbidden here: by kernel.yama.ptrace_scope, or by a container's profile)", err)
	}
	if made {
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid)); err != nil {
			return fmt.Errorf("descriptors of the program: %w", err)
		}
		return nil
	}
	fd, err := duplicate(pid, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoDuplicates, err)
	}
	return unix.Close(fd)
}

// Serve starts to answer the filter's notifications, until Close.
func (s *Session) Serve() error {
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	s.listener.hurry()
	if err := s.lots.open(); err != nil {
		return err
	}
	if err := s.serveNames(); err != nil {
		return err
	}
	s.running.Go(func() { // owned by s; ends with Close, or with the last process
		for {
			n, ok := s.listener.receive(s.stop)
			if !ok {
				return
			}
			s.running.Go(func() { s.handle(&n) }) // ends with its call or with Close
		}
	})
	return nil
}

// serveNames starts the name server at loopback addresses, which the program's datagrams can reach.
func (s *Session) serveNames() error {
	s.dns = &resolver.Server{
		Resolver: &resolver.Resolver{Table: s.policy.Dialer.Table}, ErrorLog: log.New(s.policy.Log, "", 0),
	}
	var err error
	if s.name4, err = s.serveNamesAt("127.0.0.1:0"); err != nil {
		return err
	}
	s.name6, _ = s.serveNamesAt("[::1]:0") // not on a machine without IPv6
	return nil
}

// serveNamesAt starts to answer queries over UDP and TCP at the same port of address, and returns it.
func (s *Session) serveNamesAt(address string) (netip.AddrPort, error) {
	for try := 0; ; try++ {
		p, err := net.ListenPacket("udp", address)
		if err != nil {
			return netip.AddrPort{}, err
		}
		at := p.LocalAddr().(*net.UDPAddr).AddrPort()
		l, err := net.Listen("tcp", at.String())
		if err == nil {
			s.running.Go(func() { _ = s.dns.ServePacket(p) }) // owned by s; ends when Close shuts the server down
			s.running.Go(func() { _ = s.dns.Serve(l) })       // owned by s; ends when Close shuts the server down
			return at, nil
		}
		p.Close()
		if !errors.Is(err, unix.EADDRINUSE) || try == 10 {
			return netip.AddrPort{}, err
		}
	}
}

// Close ends the name server and all connections, and waits for their goroutines.
func (s *Session) Close() {
	s.cancel()
	_, _ = unix.Write(s.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	s.mu.Lock()
	for j := range s.open {
		j.cut()
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.dns.Shutdown(ctx)
	s.running.Wait()
	s.custody.close()
	s.lots.close()
	unix.Close(s.stop)
	s.file.Close()
}
