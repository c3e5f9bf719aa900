// Package link makes round trips take time: between two network namespaces, where everything is delayed,
// TCP's own handshake too, or by a relay where namespaces cannot be made.
package link

import (
	"sync/atomic"
	"time"
)

// Delay is how long a round trip takes. It can be changed at any time.
type Delay struct{ rtt atomic.Int64 }

// Set sets the time of a round trip.
func (d *Delay) Set(rtt time.Duration) { d.rtt.Store(int64(rtt)) }

func (d *Delay) oneWay() time.Duration { return time.Duration(d.rtt.Load() / 2) }

// parcel is something on its way.
type parcel struct {
	due  time.Time
	data []byte
}

// line delays what goes in one direction.
type line struct {
	delay *Delay
	queue chan parcel
}

func newLine(d *Delay) *line { return &line{d, make(chan parcel, 1<<14)} }

// put takes data; it is the caller's no more.
func (l *line) put(data []byte) {
	l.queue <- parcel{time.Now().Add(l.delay.oneWay()), data}
}

// carry delivers until the queue is closed.
func (l *line) carry(deliver func(data []byte)) {
	for p := range l.queue {
		sleep(time.Until(p.due))
		deliver(p.data)
	}
}
