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
	if deadline == deadline.Round(0) {
		// The time has no monotonic reading, so it may be of a synctest bubble. There the alarm's timer would be of the
		// bubble too: it would not expire while the handshake waits for the socket, and be of no use to others.
		delete(a.waiting, h)
		h.rung = true
		h.raw.SetDeadline(deadline)
		return
	}
	a.waiting[h] = deadline
	if a.at.IsZero() || deadline.Before(a.at) {
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
