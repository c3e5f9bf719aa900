package faults

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
)

// site is a gateway of a cell.
type site struct {
	gateway  *testgw.Gateway
	client   template
	grace    atomic.Int64 // the number of connections still to be served without the fault
	requests atomic.Int64
}

func newSite(t testing.TB, b *batch, fault func() testgw.Fault) *site {
	s := new(site)
	s.gateway = &testgw.Gateway{
		Misbehave: func(int) testgw.Fault {
			if s.grace.Add(-1) >= 0 {
				return testgw.Fault{}
			}
			return fault()
		},
		OnRequest: func(testgw.Request) { s.requests.Add(1) },
	}
	if b.credentials {
		s.gateway.Users = map[string]string{secretUser: secretPassword}
	}
	reach(s.gateway)
	s.client = b.way.start(t, s.gateway)
	return s
}

// settles waits until no client is connected. It reports false if that takes more than patience.
func (s *site) settles() bool {
	for begun := time.Now(); s.gateway.Sessions() > 0; time.Sleep(100 * time.Microsecond) {
		if time.Since(begun) > patience {
			return false
		}
	}
	return true
}
