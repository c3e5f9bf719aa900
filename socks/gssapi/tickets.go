package gssapi

import (
	"context"
	"sync"
	"time"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// tickets keeps the one ticket that an Auth needs.
type tickets struct {
	mu       sync.Mutex
	kept     *krb5.Ticket
	fetching *fetch // nil: no dial waits for one
}

// fetch is one fetch of a ticket, for which any number of dials wait.
type fetch struct {
	done   chan struct{} // closed when ticket and err are set
	ticket *krb5.Ticket
	err    error
}

// get returns the kept ticket, or a new one from source. The end of ctx ends the wait, but not the fetch, for
// which other callers may wait.
func (t *tickets) get(ctx context.Context, source func() (*krb5.Ticket, error)) (*krb5.Ticket, error) {
	t.mu.Lock()
	if t.kept != nil && time.Until(t.kept.End) > krb5.Margin {
		defer t.mu.Unlock()
		return t.kept, nil
	}
	f := t.fetching
	if f == nil {
		f = &fetch{done: make(chan struct{})}
		t.fetching = f
		go t.fetch(f, source) // owned by t; ends with the last answer of a KDC, and the library waits at most 5 s for each
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.ticket, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *tickets) fetch(f *fetch, source func() (*krb5.Ticket, error)) {
	f.ticket, f.err = source()
	t.mu.Lock()
	t.kept, t.fetching = f.ticket, nil
	t.mu.Unlock()
	close(f.done)
}

// drop forgets a ticket that the gateway did not accept.
func (t *tickets) drop(useless *krb5.Ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == useless {
		t.kept = nil
	}
}
