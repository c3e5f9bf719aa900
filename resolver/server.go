package resolver

import (
	"context"
	"log"
	"math"
	"net"
	"sync"
	"time"
)

// Server is a DNS server whose answers are a Resolver's: for programs that cannot be given a Resolver,
// on this machine or on others. Set the fields before the first call; do not change them, nor copy the
// Server, afterwards. Its methods are safe for concurrent use.
//
//   - A and AAAA: the fake of the name; for localhost, loopback (RFC 6761); for what is Direct, what
//     System says.
//   - PTR: the name of a fake; other addresses in the reserved space have none.
//   - HTTPS and SVCB: no data, since they could carry real addresses.
//   - ANY: HINFO (RFC 8482).
//   - others: what Upstream says; without one, no data. Names that are not names in the DNS, such as those
//     below onion (RFC 7686), never get there.
//
// Clients that expand names by a search list get the fake of the name that was typed, or no such host: see
// the package documentation.
//
// Any client may have what is free of 256 queries that wait for Upstream or System, and of 256 TCP connections. When
// all are taken, the client with the most, an IPv4 address or the /64 of an IPv6 one, gives up its oldest. Answers
// from the table wait for nothing. No answer over UDP is longer than 1232 bytes, or than what the client takes.
type Server struct {
	// Resolver answers. It is required, and so is its Table.
	Resolver *Resolver

	// TTL is how long clients may keep an answer, in whole seconds. Keep it well below the table's
	// Hold. Zero means one second.
	TTL time.Duration

	// ErrorLog gets what goes wrong with a socket. Nil means package log's standard logger.
	ErrorLog *log.Logger

	// Search is the search list of the clients. Nil means that of this machine's /etc/resolv.conf;
	// empty but not nil, none, as is right for clients that do not walk one. A list that is not the clients'
	// own lets expansions through.
	Search []string

	// Ndots is the clients' ndots option. Zero means that of /etc/resolv.conf if Search is nil, else 1.
	Ndots int

	// Listening is called by ListenAndServe with the address that all its sockets have got. Nil means
	// that it is of no interest.
	Listening func(net.Addr)

	once    sync.Once
	handler *handler
	busy    *slots // of the queries that wait
	conns   *slots // of the TCP connections

	mu      sync.Mutex
	closing bool
	open    map[*endpoint]struct{}
	serving sync.WaitGroup // what is open
}

// seconds rounds a TTL; zero is one second.
func seconds(ttl time.Duration) uint32 {
	if ttl <= 0 {
		return 1
	}
	return uint32(min((ttl+time.Second-1)/time.Second, math.MaxInt32)) // RFC 2181, section 8
}

const (
	maxBusy  = 256 // queries that wait for Upstream or System, of all sockets
	maxConns = 256 // TCP connections, of all listeners
)

// init returns an error if the Server cannot answer anything.
func (s *Server) init() error {
	s.once.Do(func() {
		list := (&machineList{path: resolvConf}).load
		switch {
		case s.Search != nil:
			fixed := newSearchList(s.Search, max(s.Ndots, 1))
			list = func() *searchList { return fixed }
		case s.Ndots > 0:
			machine := list
			list = func() *searchList { return &searchList{domains: machine().domains, ndots: s.Ndots} }
		}
		s.handler = &handler{resolver: s.Resolver, list: list, ttl: seconds(s.TTL)}
		s.busy, s.conns = newSlots(maxBusy), newSlots(maxConns)
	})
	if s.Resolver == nil || s.Resolver.Table == nil {
		return errNoResolver
	}
	return nil
}

// finish answers a query that waits for Upstream or System, in a goroutine that has a slot for it.
func (s *Server) finish(ctx context.Context, x *exchange, of client, inHand *sync.WaitGroup, send func(ctx context.Context, answer []byte)) {
	ctx, cancel := context.WithCancel(ctx)
	mine := s.busy.take(of, cancel)
	inHand.Go(func() { // ends with the answer, which ctx and the slot bound; waited for by whoever serves the socket
		defer cancel()
		defer s.busy.release(mine)
		send(ctx, x.answer(ctx))
	})
}

// Shutdown ends the Server: nothing more is read, the queries in hand are answered, and every Serve
// method returns. It waits for that; when ctx ends first, queries are given up, and ctx's error is
// returned. A Server does not start again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for e := range s.open {
		e.stop()
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() { // ends when nothing is open, and is waited for below
		s.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for e := range s.open {
		e.cut()
	}
	s.mu.Unlock()
	<-ended
	return ctx.Err()
}

// endpoint is a socket of the Server.
type endpoint struct {
	stop func() // reads no more
	cut  func() // waits for nothing more
}

// enter adds a socket, unless the Server is shut down.
func (s *Server) enter(e *endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.open == nil {
		s.open = map[*endpoint]struct{}{}
	}
	s.open[e] = struct{}{}
	s.serving.Add(1)
	return true
}

// leave removes a socket that enter has added.
func (s *Server) leave(e *endpoint) {
	s.mu.Lock()
	delete(s.open, e)
	s.mu.Unlock()
	s.serving.Done()
}

// stopped reports whether the Server is shut down.
func (s *Server) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

func (s *Server) logf(format string, args ...any) {
	if s.ErrorLog == nil {
		log.Printf(format, args...)
		return
	}
	s.ErrorLog.Printf(format, args...)
}

// past is a deadline that makes a blocked read return.
var past = time.Unix(1, 0)
