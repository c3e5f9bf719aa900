package dialer

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// deadline ends waits: at a time, which can be moved while they wait, or for good. Call init first.
type deadline struct {
	mu    sync.Mutex
	at    time.Time // zero: none
	timer *time.Timer
	wait  context.Context // ends when at has passed
	end   context.CancelCauseFunc
}

func (d *deadline) init() { d.wait, d.end = context.WithCancelCause(context.Background()) }

// context returns what a wait ends with. Its cause is os.ErrDeadlineExceeded or, after close, net.ErrClosed.
func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wait
}

// time returns what was set last.
func (d *deadline) time() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

// set sets the time. Zero: never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if context.Cause(d.wait) == net.ErrClosed {
		return
	}
	fired := d.timer != nil && !d.timer.Stop()
	d.at, d.timer = t, nil
	if fired || d.wait.Err() != nil {
		d.end(os.ErrDeadlineExceeded) // for those who waited
		d.init()
	}
	if t.IsZero() {
		return
	}
	end := d.end
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { end(os.ErrDeadlineExceeded) })
	} else {
		end(os.ErrDeadlineExceeded)
	}
}

// close ends all waits, those to come among them.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.wait.Err() != nil {
		d.init()
	}
	d.end(net.ErrClosed)
}
