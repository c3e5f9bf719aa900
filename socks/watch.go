package socks

import (
	"fmt"
	"net"
)

// maxChatter is how many bytes a gateway may send on a control connection, where nothing is due.
const maxChatter = 1 << 16

// watch has p.end called when the control connection ends: by the Client's watcher, which is one goroutine for
// all its associations, or where that cannot be by a goroutine of p's own.
func (p *PacketConn) watch() {
	if !p.client.watcher.add(p) {
		go func() { p.end(p.silence()) }() // owned by p; ends with the control connection, which Close closes
	}
}

// silence reads the control connection until it ends, and returns why. A gateway that sends too much ends it. The
// buffer is small because it is held by each association.
func (p *PacketConn) silence() error {
	b := make([]byte, 64)
	for {
		n, err := p.control.Read(b)
		if err = p.heard(n, err); err != nil {
			return err
		}
	}
}

// heard takes the result of a read of the control connection, and returns an error if the association has ended by it.
func (p *PacketConn) heard(n int, err error) error {
	if err != nil {
		return gatewayFailed("association ended", err)
	}
	if p.chatter += n; p.chatter >= maxChatter {
		return fmt.Errorf("%w: it goes on talking on the control connection", ErrProtocol)
	}
	return nil
}

// end ends reads and writes for the reason err, and closes the control connection. It is called once, when the
// watcher has let go of the connection: its descriptor may be another's at once.
func (p *PacketConn) end(err error) {
	p.cause.Store(&err)
	p.control.Close()
	p.relay.Close()
	close(p.ended)
}

// closeControl closes the control connection and returns when the association has ended.
func (p *PacketConn) closeControl() {
	watched := p.client.watcher.remove(p)
	p.control.Close()
	if watched {
		p.end(net.ErrClosed)
	}
	<-p.ended
}
