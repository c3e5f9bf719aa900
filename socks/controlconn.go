package socks

import (
	"fmt"
	"net"
)

// maxChatter is the number of bytes on a control connection, after the reply, that ends the association. The
// protocol has no such bytes.
const maxChatter = 1 << 16

// watch arranges that p.end is called when the control connection ends. The Client's watcher, one goroutine for
// all its associations, calls p.end; if it cannot watch p, a goroutine of p does. If Close comes first,
// closeControl calls p.end.
func (p *PacketConn) watch() {
	if !p.client.watcher.add(p) {
		go func() { p.end(p.awaitEnd()) }() // owned by p; ends with the control connection, which Close closes
	}
}

// awaitEnd reads the control connection until the association ends, and returns the reason. The buffer is small
// because each association that the watcher cannot watch holds one.
func (p *PacketConn) awaitEnd() error {
	b := make([]byte, 64)
	for {
		n, err := p.control.Read(b)
		if err = p.readControl(n, err); err != nil {
			return err
		}
	}
}

// readControl is called with the result of a read of the control connection. It returns an error if that ends the
// association.
func (p *PacketConn) readControl(n int, err error) error {
	if err != nil {
		return gatewayFailed("association ended", err)
	}
	if p.chatter += n; p.chatter >= maxChatter {
		return fmt.Errorf("%w: it goes on talking on the control connection", ErrProtocol)
	}
	return nil
}

// end closes the control connection and the connection to the relay, and makes reads and writes fail with err. It
// is called once. If the watcher watches p, it must have removed p before: a new connection may get the
// descriptor as soon as end closes it.
func (p *PacketConn) end(err error) {
	p.cause.Store(&err)
	p.control.Close()
	p.relay.Close()
	close(p.ended)
}

// closeControl closes the control connection and waits until the association has ended.
func (p *PacketConn) closeControl() {
	watched := p.client.watcher.remove(p)
	p.control.Close()
	if watched {
		p.end(net.ErrClosed)
	}
	<-p.ended
}
