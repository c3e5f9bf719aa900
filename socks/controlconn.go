package socks

import (
	"fmt"
	"net"
)

// maxChatter is the limit of the bytes that a gateway sends on a control connection after the reply. The protocol
// has none.
const maxChatter = 1 << 16

// watch makes p.end be called when the control connection ends: by the Client's watcher, which is one goroutine for
// all its associations, or if the watcher cannot watch p, by a goroutine of p.
func (p *PacketConn) watch() {
	if !p.client.watcher.add(p) {
		go func() { p.end(p.silence()) }() // owned by p; ends with the control connection, which Close closes
	}
}

// silence reads the control connection until it ends, and returns the reason. It ends too if the gateway sends
// maxChatter bytes. The buffer is small because each association holds one.
func (p *PacketConn) silence() error {
	b := make([]byte, 64)
	for {
		n, err := p.control.Read(b)
		if err = p.heard(n, err); err != nil {
			return err
		}
	}
}

// heard takes the result of a read of the control connection. It returns an error if that ends the association.
func (p *PacketConn) heard(n int, err error) error {
	if err != nil {
		return gatewayFailed("association ended", err)
	}
	if p.chatter += n; p.chatter >= maxChatter {
		return fmt.Errorf("%w: it goes on talking on the control connection", ErrProtocol)
	}
	return nil
}

// end closes the control connection and the connection to the relay, and makes reads and writes fail with err. It is
// called once, after the watcher has let go of the control connection: its descriptor may be another's at once.
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
