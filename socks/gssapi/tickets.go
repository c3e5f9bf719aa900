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
	fetching *fetch // nil: nobody waits for one
}

// fetch is what any number of dials wait for.
type fetch struct {
	done   chan struct{} // closed when the rest is set
	ticket *krb5.Ticket
	err    error
}

// get returns the ticket that is kept, or one that get gets. Who stops waiting does not stop that for others.
func (t *tickets) get(ctx context.Context, get func() (*krb5.Ticket, error)) (*krb5.Ticket, error) {
	t.mu.Lock()
	if t.kept != nil && time.Until(t.kept.End) > krb5.Margin {
		defer t.mu.Unlock()
		return t.kept, nil
	}
	f := t.fetching
	if f == nil {
		f = &fetch{done: make(chan struct{})}
		t.fetching = f
		go t.fetch(f, get) // t's; ends with the last answer of a KDC, for each of which the library waits 5 s at most
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.ticket, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *tickets) fetch(f *fetch, get func() (*krb5.Ticket, error)) {
	f.ticket, f.err = get()
	t.mu.Lock()
	t.kept, t.fetching = f.ticket, nil
	t.mu.Unlock()
	close(f.done)
}

// drop forgets a ticket that was of no use.
func (t *tickets) drop(useless *krb5.Ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == useless {
		t.kept = nil
	}
}
