package socks

import (
	"errors"
	"fmt"
	"net"
	"reflect"
)

// relayProtector is implemented by a connection that an Auth returns and that supports UDP ASSOCIATE; see [Auth].
type relayProtector interface {
	ProtectRelay(relay net.Conn) net.Conn
}

// protectedControl is the control connection of an association whose datagrams an Auth protects.
type protectedControl struct {
	net.Conn
	protector relayProtector
}

// sameConn reports whether a and b are the same connection. Connections that cannot be compared count as different,
// so that UDP ASSOCIATE fails and datagrams are not sent in clear text.
func sameConn(a, b net.Conn) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && (t == nil || t.Comparable() && a == b)
}

// protectRelay arranges that the Auth that protects h.conn also protects the datagrams of the requested
// association. It returns an error if the Auth cannot do that.
func (h *handshake) protectRelay() error {
	protector, ok := h.conn.(relayProtector)
	if !ok {
		return fmt.Errorf("%w: authentication method %d protects the connection, and cannot protect datagrams (its connection %T has no ProtectRelay)",
			errors.ErrUnsupported, h.method, h.conn)
	}
	h.conn = &protectedControl{h.conn, protector}
	return nil
}

// protect replaces p.relay by the connection that ProtectRelay returns, if an Auth protects datagrams.
func (p *PacketConn) protect() error {
	control, ok := p.control.(*protectedControl)
	if !ok {
		return nil
	}
	protected := control.protector.ProtectRelay(p.relay)
	if protected == nil {
		p.relay.Close()
		return errors.New("the authentication's ProtectRelay returned no connection")
	}
	p.relay = protected
	return nil
}
