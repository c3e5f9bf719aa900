package seccomp

import (
	"container/list"
	"sync"

	"golang.org/x/sys/unix"
)

// maxStates bounds the sockets that are remembered. The least recently used one is forgotten; the program sees then what
// the kernel says of it: that it is connected to a relay.
const maxStates = 1 << 14

// state is the state of a socket as the program has to see it. The mutex of states guards it.
type state struct {
	peer    []byte     // the sockaddr that the program connected to; nil: none
	attempt *attempt   // the dial that is going on; nil: there is none
	failed  unix.Errno // of a connect that was not answered with its outcome, to be told once
	untold  bool       // such a connect has succeeded, and no connect has said so yet
	asked   []byte     // of a datagram socket: the name server that it asked, as a sockaddr; nil: none
}

// attempt is a dial. Once done is closed, errno is its outcome.
type attempt struct {
	done  chan struct{}
	errno unix.Errno
	left  bool // no call waits for the outcome; the states guard it
}

// states holds the state of each of the program's sockets by cookie. The zero states is ready for use.
type states struct {
	mu      sync.Mutex
	byKey   map[uint64]*list.Element
	recency list.List // of *entry, the latest first
}

type entry struct {
	cookie uint64
	state  state
}

// change calls f with the state of a socket, which is the zero state for one not seen before.
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

// get returns a copy of the state of a socket.
func (s *states) get(cookie uint64) (st state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[cookie]; e != nil {
		st = e.Value.(*entry).state
	}
	return st
}

func (s *states) forget(cookie uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[cookie]; e != nil {
		s.recency.Remove(e)
		delete(s.byKey, cookie)
	}
}
