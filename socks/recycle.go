package socks

import "sync"

// handshakes is a pool of handshakes, so that a dial need not allocate one.
var handshakes = sync.Pool{New: func() any {
	h := new(handshake)
	h.abort = func() { h.raw.Close() }
	return h
}}

// newHandshake returns a handshake that has not begun. It is pipelined with auth as the one method offered, or
// stepwise if auth is nil.
func newHandshake(c *Client, req request, auth pipelinedAuth) *handshake {
	h := handshakes.Get().(*handshake)
	h.client, h.request, h.pipelined = c, req, auth
	return h
}

// recycle returns h to the pool if it has succeeded. The timer or context that ended a failed handshake, and the
// owner of a spare, may still use the handshake, so these are left to the garbage collector.
func (h *handshake) recycle() {
	if h.err != nil || h.onSpare {
		return
	}
	*h = handshake{abort: h.abort}
	handshakes.Put(h)
}
