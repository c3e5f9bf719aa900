package dialer

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// deadline ends waits at a time that may be changed while they last. The zero deadline never ends a wait. A deadline
// has no timer before the first wait.
type deadline struct {
	mu     sync.Mutex
	at     time.Time // zero: never
	closed bool
	wait   context.Context // ends when at has passed; nil: nothing has waited yet
	end    context.CancelCauseFunc
	timer  *time.Timer // calls end; nil: at is zero or has passed
}

// context returns the context of a wait. Its cause is os.ErrDeadlineExceeded or, after close, net.ErrClosed.
func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wait == nil {
		d.renew()
	}
	return d.wait
}

// renew makes a new context. d.mu is held.
func (d *deadline) renew() {
	d.wait, d.end = context.WithCancelCause(context.Background())
	d.arm()
}

// arm makes the context end at d.at. d.mu is held.
func (d *deadline) arm() {
	end := d.end
	switch left := time.Until(d.at); {
	case d.closed:
		end(net.ErrClosed)
	case d.at.IsZero():
	case left > 0:
		d.timer = time.AfterFunc(left, func() { end(os.ErrDeadlineExceeded) })
	default:
		end(os.ErrDeadlineExceeded)
	}
}

// time returns the time that was set last.
func (d *deadline) time() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

// set sets the time. The zero time means never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.wait == nil || d.closed {
		return
	}
	fired := d.timer != nil && !d.timer.Stop()
	d.timer = nil
	if fired || d.wait.Err() != nil {
		d.end(os.ErrDeadlineExceeded) // for the waits so far
		d.renew()
	} else {
		d.arm()
	}
}

// close ends all waits, now and in the future.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.wait != nil && d.wait.Err() == nil {
		d.arm()
	} else {
		d.renew()
	}
}
