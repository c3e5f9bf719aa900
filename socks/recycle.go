package socks

import "sync"

// handshakes recycles handshakes, so that a dial allocates none.
var handshakes = sync.Pool{New: func() any {
	h := new(handshake)
	h.abort = func() { h.raw.Close() }
	return h
}}

// newHandshake returns a handshake that is yet to begin: everything in one write, with auth as the one method
// offered, or stepwise if auth is nil.
func newHandshake(c *Client, req request, auth pipelinedAuth) *handshake {
	h := handshakes.Get().(*handshake)
	h.client, h.request, h.pipelined = c, req, auth
	return h
}

// recycle gives up a handshake that has succeeded: nothing that could end it is running any more. One that has
// failed may still be in use by what ended it, and one on a spare by the spare, so these are left to the garbage
// collector.
func (h *handshake) recycle() {
	if h.err != nil || h.onSpare {
		return
	}
	*h = handshake{abort: h.abort}
	handshakes.Put(h)
}
