package socks

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// ClientStats is what a Client has done so far. Requests are of all commands; each is counted once, by its
// outcome, however many connections it took.
type ClientStats struct {
	Granted         uint64 // the gateway did what it was asked
	Refused         uint64 // it replied that it would not or could not: a Reply
	GatewayFailed   uint64 // ErrGateway
	AuthFailed      uint64 // ErrNoAcceptableAuth or ErrAuthFailed
	ProtocolErrors  uint64 // ErrProtocol
	Cancelled       uint64 // the context or the Timeout ended first
	InvalidRequests uint64 // nothing was sent: the Client, the destination or this machine cannot do it

	Handshake Histogram // of the granted: from the call to the reply, spares and all
	SpareHits uint64    // requests that found a connection ready

	Open         int64  // streams and associations that are not closed
	BytesRead    uint64 // by the application, from streams; what io.Copy moves is counted when it ends
	BytesWritten uint64 // likewise, to streams
}

// Histogram counts durations in buckets that double in width. The zero Histogram is empty.
type Histogram struct {
	Counts [20]uint64    // Counts[i] are those below HistogramBound(i), and not below HistogramBound(i-1); the last has all others
	Sum    time.Duration // of all of them
}

// histogramUnit is the first bucket's bound: 2^16 ns, about 66 µs, less than a dial on one machine takes.
const histogramUnit = 16

// HistogramBound returns the upper bound of a Histogram's bucket i: 65.536 µs for 0, twice the one before for each other.
func HistogramBound(i int) time.Duration { return time.Duration(1) << (histogramUnit + i) }

// Count returns how many durations were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Mean returns the mean duration, or zero when there is none.
func (h *Histogram) Mean() time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	return h.Sum / time.Duration(n)
}

// counters are what ClientStats is made of. The zero counters are ready.
type counters struct {
	outcomes   [outcomes]atomic.Uint64
	handshakes [len(Histogram{}.Counts)]atomic.Uint64
	sum        atomic.Int64
	spareHits  atomic.Uint64
	open       atomic.Int64
	bytes      [16]byteCounters
}

// byteCounters count what some of a Client's streams carry. Each is a cache line, so that streams of different
// processors seldom wait for one another.
type byteCounters struct {
	read, written atomic.Uint64
	_             [48]byte
}

// shard returns the byte counters of a new stream.
func (c *counters) shard() *byteCounters { return &c.bytes[rand.IntN(len(c.bytes))] }

const (
	granted = iota
	refused
	gatewayDown
	authFailed
	broken
	cancelled
	invalid
	outcomes
)

// count counts a request that took that long.
func (c *counters) count(took time.Duration, err error) {
	if err != nil {
		c.outcomes[failure(err)].Add(1)
		return
	}
	c.outcomes[granted].Add(1)
	bucket := bits.Len64(uint64(took) >> histogramUnit)
	c.handshakes[min(bucket, len(c.handshakes)-1)].Add(1)
	c.sum.Add(int64(took))
}

// countUnsendable counts a request that cannot be sent.
func (c *Client) countUnsendable() {
	if c != nil {
		c.counters.outcomes[invalid].Add(1)
	}
}

func failure(err error) int {
	var reply Reply
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrGateway):
		return gatewayDown
	case errors.Is(err, ErrProtocol):
		return broken
	case errors.Is(err, ErrAuthFailed), errors.Is(err, ErrNoAcceptableAuth):
		return authFailed
	case errors.As(err, &reply):
		return refused
	case errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout():
		return cancelled
	}
	return invalid
}

// Stats returns the counters. Those of one moment are not all of the same moment.
func (c *Client) Stats() ClientStats {
	n := &c.counters
	s := ClientStats{
		Granted:         n.outcomes[granted].Load(),
		Refused:         n.outcomes[refused].Load(),
		GatewayFailed:   n.outcomes[gatewayDown].Load(),
		AuthFailed:      n.outcomes[authFailed].Load(),
		ProtocolErrors:  n.outcomes[broken].Load(),
		Cancelled:       n.outcomes[cancelled].Load(),
		InvalidRequests: n.outcomes[invalid].Load(),
		SpareHits:       n.spareHits.Load(),
		Open:            n.open.Load(),
	}
	for i := range n.bytes {
		s.BytesRead += n.bytes[i].read.Load()
		s.BytesWritten += n.bytes[i].written.Load()
	}
	s.Handshake.Sum = time.Duration(n.sum.Load())
	for i := range n.handshakes {
		s.Handshake.Counts[i] = n.handshakes[i].Load()
	}
	return s
}
