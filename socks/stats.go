package socks

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// ClientStats has the counters of a [Client]. The first seven fields count requests of all commands. Each request
// is counted once, by its outcome, no matter how many connections it made.
type ClientStats struct {
	Granted         uint64 // the gateway granted the request
	Refused         uint64 // the gateway refused it: a Reply
	GatewayFailed   uint64 // ErrGateway
	AuthFailed      uint64 // ErrNoAcceptableAuth or ErrAuthFailed
	ProtocolErrors  uint64 // ErrProtocol
	Cancelled       uint64 // the context or the Timeout ended first
	InvalidRequests uint64 // any other error: of the Client's fields, the destination or this machine

	Handshake Histogram // time from the call to the reply, of granted requests, those on spares included
	SpareHits uint64    // requests that were sent on a spare

	Open         int64  // streams and associations that are not closed
	BytesRead    uint64 // bytes that the application read from streams; a call of io.Copy is counted when it ends
	BytesWritten uint64 // bytes that the application wrote to streams; a call of io.Copy is counted when it ends
}

// Histogram counts durations in buckets that double in width. The zero Histogram is empty.
type Histogram struct {
	// Counts[i] is the number of durations below HistogramBound(i) and not below HistogramBound(i-1). The last
	// element also counts all longer durations.
	Counts [20]uint64
	Sum    time.Duration // sum of all durations
}

// histogramUnit is the binary logarithm of the first bucket's bound, 2^16 ns or about 66 µs, which is shorter than
// a dial within one machine.
const histogramUnit = 16

// HistogramBound returns the upper bound of bucket i of a [Histogram]: 65.536 µs for 0, and twice the previous
// bound for each next bucket.
func HistogramBound(i int) time.Duration { return time.Duration(1) << (histogramUnit + i) }

// Count returns how many durations were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Mean returns the mean duration, or zero if none was counted.
func (h *Histogram) Mean() time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	return h.Sum / time.Duration(n)
}

// counters are the counters behind ClientStats. The zero counters are ready for use.
type counters struct {
	outcomes   [requestOutcomes]atomic.Uint64
	handshakes [len(Histogram{}.Counts)]atomic.Uint64
	sum        atomic.Int64
	spareHits  atomic.Uint64
	open       atomic.Int64
	bytes      [16]byteCounters
}

// byteCounters count the bytes of some of a Client's streams. They fill a cache line, so that streams on different
// processors rarely contend.
type byteCounters struct {
	read, written atomic.Uint64
	_             [48]byte
}

// shard returns the byte counters of a new stream.
func (c *counters) shard() *byteCounters { return &c.bytes[rand.IntN(len(c.bytes))] }

// The outcomes of a request, each with a counter of ClientStats.
const (
	requestGranted = iota
	requestRefused
	requestGatewayFailed
	requestAuthFailed
	requestProtocolError
	requestCancelled
	requestInvalid
	requestOutcomes // their number
)

// count counts a request that took the given time and ended with err.
func (c *counters) count(took time.Duration, err error) {
	if err != nil {
		c.outcomes[outcomeOf(err)].Add(1)
		return
	}
	c.outcomes[requestGranted].Add(1)
	bucket := bits.Len64(uint64(took) >> histogramUnit)
	c.handshakes[min(bucket, len(c.handshakes)-1)].Add(1)
	c.sum.Add(int64(took))
}

// countUnsendable counts a request that cannot be sent.
func (c *Client) countUnsendable() {
	if c != nil {
		c.counters.outcomes[requestInvalid].Add(1)
	}
}

// outcomeOf returns the outcome of a request that failed with err.
func outcomeOf(err error) int {
	var reply Reply
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrGateway):
		return requestGatewayFailed
	case errors.Is(err, ErrProtocol):
		return requestProtocolError
	case errors.Is(err, ErrAuthFailed), errors.Is(err, ErrNoAcceptableAuth):
		return requestAuthFailed
	case errors.As(err, &reply):
		return requestRefused
	case errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout():
		return requestCancelled
	}
	return requestInvalid
}

// Stats returns the counters. They are read one after the other, not as one consistent snapshot.
func (c *Client) Stats() ClientStats {
	n := &c.counters
	s := ClientStats{
		Granted:         n.outcomes[requestGranted].Load(),
		Refused:         n.outcomes[requestRefused].Load(),
		GatewayFailed:   n.outcomes[requestGatewayFailed].Load(),
		AuthFailed:      n.outcomes[requestAuthFailed].Load(),
		ProtocolErrors:  n.outcomes[requestProtocolError].Load(),
		Cancelled:       n.outcomes[requestCancelled].Load(),
		InvalidRequests: n.outcomes[requestInvalid].Load(),
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
