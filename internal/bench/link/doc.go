// Package link delays round trips: by a link between two network namespaces, which delays every packet, including
// TCP's handshake, or by a relay if namespaces cannot be made.
package link

import (
	"sync/atomic"
	"time"
)

// Delay is the time that a round trip takes. The zero value does not delay. It is safe for concurrent use.
type Delay struct{ rtt atomic.Int64 }

// Set sets the time of a round trip.
func (d *Delay) Set(rtt time.Duration) { d.rtt.Store(int64(rtt)) }

func (d *Delay) oneWay() time.Duration { return time.Duration(d.rtt.Load() / 2) }

// parcel is data in flight.
type parcel struct {
	due  time.Time
	data []byte
}

// line delays the data of one direction.
type line struct {
	delay *Delay
	queue chan parcel
}

func newLine(d *Delay) *line { return &line{d, make(chan parcel, 1<<14)} }

// put queues data, which the line then owns.
func (l *line) put(data []byte) {
	l.queue <- parcel{time.Now().Add(l.delay.oneWay()), data}
}

// carry calls deliver for each parcel when it is due, until the queue is closed.
func (l *line) carry(deliver func(data []byte)) {
	for p := range l.queue {
		sleep(time.Until(p.due))
		deliver(p.data)
	}
}
