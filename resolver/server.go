package resolver

import (
	"context"
	"log"
	"math"
	"net"
	"sync"
	"time"
)

// Server is a DNS server with a Resolver's answers, for programs that cannot be given a Resolver, on this machine or on
// others. Set the fields before the first call; do not change them, nor copy the Server, afterwards. Its methods are safe
// for concurrent use. Serve, ServePacket and ListenAndServe of a zero Server return an error.
//
// The answer depends on the type in question:
//
//   - A and AAAA: the fake of the name; for localhost, loopback (RFC 6761); for Direct names, System's addresses,
//     or NXDOMAIN if System finds none of either family.
//   - PTR: the name that a fake stands for; NXDOMAIN for other addresses of the reserved space.
//   - HTTPS (type 65) and SVCB (type 64): no data, since such records can carry real addresses.
//   - ANY: HINFO (RFC 8482).
//   - others: Upstream's answer; no data without an Upstream, and for special names such as those below onion (RFC 7686).
//
// A client that expands names by a search list gets NXDOMAIN for an expansion, and the fake of the name that was typed: see
// the package documentation.
//
// At most 256 queries wait for Upstream or System, and at most 256 TCP connections are open. A client may take all free
// slots. If none is free, the client with the most slots loses its oldest query or connection. A client is an IPv4
// address or the /64 of an IPv6 address. Queries that the table answers are not counted. No response over UDP is longer
// than 1232 bytes, or than the client accepts.
type Server struct {
	// Resolver gives the answers. It is required, and so is its Table.
	Resolver *Resolver

	// TTL is how long clients may keep an answer, rounded up to whole seconds. Keep it well below the table's Hold. Zero
	// means one second.
	TTL time.Duration

	// ErrorLog logs the errors of sockets. Nil means package log's standard logger.
	ErrorLog *log.Logger

	// Search is the search list of the clients. Nil means the list in this machine's /etc/resolv.conf, or the domain of its
	// host name if the file has no search line; "search ." is an empty list. An empty list that is not nil means that no
	// client walks one. If Search differs from the list that the clients use, they may get fakes of expansions.
	Search []string

	// Ndots is the clients' ndots option. Zero means the one in /etc/resolv.conf if Search is nil, otherwise 1.
	Ndots int

	// Listening, if not nil, is called by ListenAndServe with the address of its sockets before the first query is read.
	Listening func(net.Addr)

	once    sync.Once
	handler *handler
	waiting *slots // for queries that wait for Upstream or System
	conns   *slots // for TCP connections

	mu      sync.Mutex
	closing bool
	open    map[*endpoint]struct{}
	serving sync.WaitGroup // for the endpoints that are open
}

// seconds returns a TTL in seconds, rounded up. Zero becomes one second.
func seconds(ttl time.Duration) uint32 {
	if ttl <= 0 {
		return 1
	}
	return uint32(min((ttl+time.Second-1)/time.Second, math.MaxInt32)) // RFC 2181, section 8
}

const (
	maxWaiting = 256 // queries that wait for Upstream or System, of all sockets
	maxConns   = 256 // TCP connections, of all listeners
)

// init prepares the Server once. It returns an error if there is no Resolver or no Table.
func (s *Server) init() error {
	s.once.Do(func() {
		list := (&machineList{path: resolvConf, strict: true}).load
		switch {
		case s.Search != nil:
			fixed := newSearchList(s.Search, max(s.Ndots, 1))
			list = func() *searchList { return fixed }
		case s.Ndots > 0:
			machine := list
			list = func() *searchList { return &searchList{domains: machine().domains, ndots: s.Ndots} }
		}
		s.handler = &handler{resolver: s.Resolver, list: list, ttl: seconds(s.TTL)}
		s.waiting, s.conns = newSlots(maxWaiting), newSlots(maxConns)
	})
	if s.Resolver == nil || s.Resolver.Table == nil {
		return errNoResolver
	}
	return nil
}

// finish takes a slot for a query that waits for Upstream or System, and completes and sends the response in a goroutine
// of waiting. If the slot is taken back, the context of wait and send ends.
func (s *Server) finish(ctx context.Context, x *exchange, from client, waiting *sync.WaitGroup, send func(ctx context.Context, response []byte)) {
	ctx, cancel := context.WithCancel(ctx)
	slot := s.waiting.take(from, cancel)
	waiting.Go(func() { // ends with the response, at the latest when ctx ends; the caller's Serve method waits for it
		defer cancel()
		defer s.waiting.release(slot)
		send(ctx, x.complete(ctx))
	})
}

// Shutdown ends the Server: it reads no more queries, answers the queries that it has read, and every Serve method
// returns. Shutdown waits for that. If ctx ends first, the Server drops the remaining queries, and Shutdown returns ctx's
// error. A Server cannot be started again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for e := range s.open {
		e.stop()
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() { // ends when no endpoint is open; Shutdown waits for it
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

// endpoint is an open socket of the Server.
type endpoint struct {
	stop func() // ends the reading
	cut  func() // ends the writing too, and the queries that wait
}

// enter adds a socket. It reports false, and adds nothing, if the Server is shut down.
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

// leave removes a socket that enter added.
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

// logf logs to ErrorLog.
func (s *Server) logf(format string, args ...any) {
	if s.ErrorLog == nil {
		log.Printf(format, args...)
		return
	}
	s.ErrorLog.Printf(format, args...)
}

// past is a deadline that makes a blocked read return.
var past = time.Unix(1, 0)
