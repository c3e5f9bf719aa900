package socks

import (
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

// With TCP Fast Open, RFC 7413, the first message to the gateway is in the SYN. The connection is deferred: the
// system makes it at the first write, and its errors come with the first read. The system does this only for an
// address that gave it a cookie on an earlier connection; otherwise it connects as usual and asks for one. Where the
// gateway's system does not take the data of the SYN, they are sent again after the SYN-ACK.

const (
	// synTimeout is when Linux repeats a SYN, then without data.
	synTimeout = time.Second
	// fastOpenRest is how long a Client connects as usual after a SYN with data was lost.
	fastOpenRest = 10 * time.Minute
)

// synState is the state of a connection that was deferred.
type synState struct {
	connecting bool          // the SYN is not answered
	acked      bool          // the gateway's system took the data of the SYN
	rtt        time.Duration // once it is connected
}

// fastOpens reports whether the first attempt of a dial uses Fast Open. A name may have several addresses, and
// connecting finds out which of them answers.
func (c *Client) fastOpens() bool {
	if !c.FastOpen || c.Forward != nil || c.network() == "unix" || !isLiteral(c.Addr) {
		return false
	}
	lost := c.synLost.Load()
	return lost == 0 || time.Since(time.Unix(0, lost)) >= fastOpenRest
}

// stillConnecting reports whether err is the end of the handshake's patience with a gateway that may not have
// been reached: silence is counted from when the connection is known to be made.
func (h *handshake) stillConnecting(err error) bool {
	if !h.deferred || !h.silent(err) {
		return false
	}
	if !synStateOf(h.raw).connecting {
		h.connected(nil)
	}
	h.silentBy = time.Now().Add(h.patience())
	h.arm()
	return true
}

// connected is told how the first read from the gateway ended. If the connection was deferred, that is how
// connecting ended too, and what it returns is the error of that.
func (h *handshake) connected(err error) error {
	if !h.deferred {
		return err
	}
	h.deferred = false
	took, syn := time.Since(h.begun), synStateOf(h.raw)
	if took >= synTimeout && !syn.acked {
		h.client.synLost.Store(time.Now().UnixNano())
	}
	h.took = syn.rtt
	if h.unsent != nil {
		err = h.unsent
	}
	if h.unreached = err != nil && (syn.connecting || neverConnected(err)); h.unreached {
		h.sent, h.unsent = false, nil // the gateway has got nothing
		err = gatewayFailed("gateway unreachable", err)
	}
	switch {
	case h.conn == nil: // reach calls the hook, after TLS
	case h.unreached:
		h.hooks.gatewayConnected(h.client, took, err)
	default:
		h.hooks.gatewayConnected(h.client, took, nil)
	}
	return err
}

// neverConnected reports whether an error can only be of connecting. A socket that was closed meanwhile does not
// tell.
func neverConnected(err error) bool {
	for _, e := range []error{errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
