package seccomp

import (
	"container/list"
	"sync"

	"golang.org/x/sys/unix"
)

// maxStates is the maximum number of states. Beyond it, the least recently used state is dropped; the program then
// sees its socket as the kernel does, connected to a relay.
const maxStates = 1 << 14

// state is the state of a socket that the program must see. The mutex of states guards it. For a stream socket it decides
// what the next connect returns; the first row that applies counts:
//
//	failed    the errno, once; SO_ERROR returns it too, if it comes first
//	attempt   on a nonblocking socket EALREADY, until poll has reported the outcome; on a blocking socket, the outcome
//	untold    0, once
//	peer      EISCONN
//	none      the outcome of a new dial
type state struct {
	peer    []byte     // the sockaddr that the program connected to; nil: none
	attempt *attempt   // the current dial; nil: none
	failed  unix.Errno // the outcome of a connect whose call had returned before, not reported to the program yet; 0: none
	untold  bool       // such a connect has succeeded, and that is not reported to the program yet
	asked   []byte     // of a datagram socket: the sockaddr of the name server that it sent to; nil: none
}

// attempt is a dial for a connect. errno is its outcome, set before done is closed.
type attempt struct {
	done  chan struct{}
	errno unix.Errno
	left  bool // no call waits for the outcome any longer; guarded by the mutex of states
}

// states holds the state of each socket of the program by its cookie. The zero states is ready for use, and safe for
// concurrent use.
type states struct {
	mu      sync.Mutex
	byKey   map[uint64]*list.Element
	recency list.List // of *entry, the most recently used first
}

type entry struct {
	cookie uint64
	state  state
}

// change calls f with the state of a socket, which is zero for a new socket.
func (s *states) change(cookie uint64, f func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[cookie]
	if e == nil {
		if s.byKey == nil {
			s.byKey = map[uint64]*list.Element{}
		}
		e = s.recency.PushFront(&entry{cookie: cookie})
		s.byKey[cookie] = e
		if s.recency.Len() > maxStates {
			oldest := s.recency.Back()
			delete(s.byKey, s.recency.Remove(oldest).(*entry).cookie)
		}
	}
	s.recency.MoveToFront(e)
	f(&e.Value.(*entry).state)
}

// get returns a copy of the state of a socket, which is zero if there is none.
func (s *states) get(cookie uint64) (st state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[cookie]; e != nil {
		st = e.Value.(*entry).state
	}
	return st
}

// forget removes the state of a socket.
func (s *states) forget(cookie uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[cookie]; e != nil {
		s.recency.Remove(e)
		delete(s.byKey, cookie)
	}
}
