package socks

import (
	"errors"
	"net"
	"time"

	"github.com/sockslib/sockslib/internal/errno"
)

// With TCP Fast Open (RFC 7413) the first message to the gateway is in the SYN. The connection is deferred: the
// system sends the SYN at the first write, and the first read returns the error of connecting. The system defers
// only connections to an address that gave it a cookie on an earlier connection; to others it connects at once and
// asks for a cookie. If the gateway's system does not accept the data in the SYN, it is sent again after the
// SYN-ACK.

const (
	// synTimeout is the time after which Linux sends an unanswered SYN again, without data.
	synTimeout = time.Second
	// fastOpenRest is how long a Client does not use Fast Open after a SYN with data was lost.
	fastOpenRest = 10 * time.Minute
)

// synState is the TCP state of a connection that was deferred.
type synState struct {
	connecting bool          // the SYN is not answered
	acked      bool          // the gateway's system acknowledged the data in the SYN
	rtt        time.Duration // of a connection that is established
}

// fastOpens reports whether the first attempt of a dial uses Fast Open. It does not for a gateway's name, which may
// have several addresses: a deferred connection does not show which of them answers.
func (c *Client) fastOpens() bool {
	if !c.FastOpen || c.Forward != nil || c.network() == "unix" || !isLiteral(c.Addr) {
		return false
	}
	lost := c.synLost.Load()
	return lost == 0 || time.Since(time.Unix(0, lost)) >= fastOpenRest
}

// extendSilence reports whether err is a timeout at silentBy on a connection that was deferred. If so, it also
// restarts the allowed silence, because silence counts from when the connection is known to be established.
func (h *handshake) extendSilence(err error) bool {
	if !h.deferred || !h.silent(err) {
		return false
	}
	if !synStateOf(h.raw).connecting {
		h.noteConnected(nil)
	}
	h.silentBy = time.Now().Add(h.patience())
	h.arm()
	return true
}

// noteConnected handles err, the result of the first read from the gateway. On a deferred connection, that read
// shows whether connecting succeeded: noteConnected calls the hook GatewayConnected, and returns the error of
// connecting or of a failed write in place of err. On any other connection, it only returns err.
func (h *handshake) noteConnected(err error) error {
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
		h.sent, h.unsent = false, nil // nothing has reached the gateway
		err = gatewayFailed("gateway unreachable", err)
	}
	switch {
	case h.conn == nil: // reach calls the hook after TLS
	case h.unreached:
		h.hooks.gatewayConnected(h.client, took, err)
	default:
		h.hooks.gatewayConnected(h.client, took, nil)
	}
	return err
}

// neverConnected reports whether err shows that a deferred connection was not established. A socket that was closed
// meanwhile counts as not established, because its state is lost.
func neverConnected(err error) bool {
	for _, e := range []error{errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
