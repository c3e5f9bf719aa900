package socks

import (
	"errors"
	"fmt"
	"net"
	"reflect"
)

// relayProtector is what a connection that an Auth returns must have for UDP ASSOCIATE; see [Auth].
type relayProtector interface {
	ProtectRelay(relay net.Conn) net.Conn
}

// protectedControl is the control connection of an association whose datagrams an Auth protects.
type protectedControl struct {
	net.Conn
	protector relayProtector
}

// sameConn reports whether an Auth returned the connection that it was given. Connections that cannot be compared count
// as different, so that datagrams are refused rather than sent in clear text.
func sameConn(a, b net.Conn) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && (t == nil || t.Comparable() && a == b)
}

// protectRelay makes the relay of the association protected as its control connection is, or returns an error.
func (h *handshake) protectRelay() error {
	protector, ok := h.conn.(relayProtector)
	if !ok {
		return fmt.Errorf("%w: authentication method %d protects the connection, and cannot protect datagrams (its connection %T has no ProtectRelay)",
			errors.ErrUnsupported, h.method, h.conn)
	}
	h.conn = &protectedControl{h.conn, protector}
	return nil
}

// protect puts the Auth's protection of datagrams, if there is any, around the connection to the relay.
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
