package socks

import (
	"sync"
	"time"
)

// alarm enforces the deadlines of the steps of a Client's handshakes. One timer serves all handshakes, and stays set
// when a handshake ends before its deadline. Deadlines on the connections would cost a quarter of a dial's processor
// time: several times per dial they would set a timer that is due before all others, and each such timer wakes a
// thread to wait for it.
type alarm struct {
	mu      sync.Mutex
	waiting map[*handshake]time.Time // the deadlines
	timer   *time.Timer              // calls ring
	at      time.Time                // when the timer expires; zero: it is not set
}

// ownAlarm returns the Client's alarm. The Client has a pointer to it, so that printing the Client does not read
// what the timer's goroutine changes.
func (c *Client) ownAlarm() *alarm {
	if a := c.alarm.Load(); a != nil {
		return a
	}
	c.alarm.CompareAndSwap(nil, &alarm{waiting: make(map[*handshake]time.Time)})
	return c.alarm.Load()
}

// set sets the deadline of h, whose transport is a socket. The zero time is no deadline.
func (a *alarm) set(h *handshake, deadline time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.rung {
		h.rung = false
		h.raw.SetDeadline(time.Time{})
	}
	if deadline.IsZero() {
		delete(a.waiting, h)
		return
	}
	_, again := a.waiting[h]
	a.waiting[h] = deadline
	switch {
	case a.at.IsZero(), deadline.Before(a.at):
		a.setTimer(deadline)
	case !again && time.Since(a.at) > time.Second: // the timer is overdue, so it belongs to a synctest bubble that has ended
		a.timer = nil
		a.setTimer(deadline)
	}
}

// setTimer sets the timer. a.mu is held.
func (a *alarm) setTimer(at time.Time) {
	a.at = at
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(at), a.ring)
	} else {
		a.timer.Reset(time.Until(at))
	}
}

// ring times out the reads and writes of each handshake whose deadline has passed, and sets the timer to the next
// deadline. It runs in the timer's goroutine, and does not block.
func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, next := time.Now(), time.Time{}
	for h, deadline := range a.waiting {
		if now.Before(deadline) {
			next = earlier(next, deadline)
			continue
		}
		delete(a.waiting, h)
		h.rung = true
		h.raw.SetDeadline(deadline)
	}
	a.at = time.Time{}
	if !next.IsZero() {
		a.setTimer(next)
	}
}
