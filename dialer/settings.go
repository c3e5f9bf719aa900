package dialer

import (
	"errors"
	"net"
	"time"
)

// SetDeadline sets both deadlines.
func (p *PacketConn) SetDeadline(t time.Time) error {
	if err := p.SetReadDeadline(t); err != nil {
		return err
	}
	return p.SetWriteDeadline(t)
}

// SetReadDeadline sets the time after which reads fail. Zero: none.
func (p *PacketConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set", nil, net.ErrClosed)
	}
	p.readBy.set(t)
	if p.inbox.Load() != nil {
		return nil
	}
	return p.fail("set", nil, p.unlessEnded(p.first.conn.SetReadDeadline(t)))
}

// SetWriteDeadline sets the time after which writes fail, among them those that make an association. Zero:
// none, but an association is waited for no longer than 30 seconds.
func (p *PacketConn) SetWriteDeadline(t time.Time) error {
	p.writeBy.set(t)
	return p.each(func(conn net.PacketConn) error { return conn.SetWriteDeadline(t) })
}

// each does the same with every association. What one of several answers is of no use: it may have ended.
func (p *PacketConn) each(do func(net.PacketConn) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set", nil, net.ErrClosed)
	}
	for _, f := range p.flows {
		if f.by == nil {
			continue
		}
		if err := p.unlessEnded(do(f.by.conn)); err != nil && len(p.flows) == 1 {
			return p.fail("set", nil, err)
		}
	}
	return nil
}

// unlessEnded leaves out the error of an association that the gateway has ended: without a fixed peer, p goes on.
func (p *PacketConn) unlessEnded(err error) error {
	if p.fixed == nil && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// buffers are the sizes, in bytes, of a socket's two buffers. Zero: the operating system's choice.
type buffers struct{ read, write int }

// SetReadBuffer sets the size, in bytes, of the operating system's receive buffer for each association,
// those that are made later among them. Its error matches errors.ErrUnsupported where the Gateway's
// associations cannot do that.
func (p *PacketConn) SetReadBuffer(bytes int) error {
	return p.resize(func(b *buffers) { b.read = bytes })
}

// SetWriteBuffer is SetReadBuffer for the transmit buffer.
func (p *PacketConn) SetWriteBuffer(bytes int) error {
	return p.resize(func(b *buffers) { b.write = bytes })
}

func (p *PacketConn) resize(change func(*buffers)) error {
	p.mu.Lock()
	change(&p.buffers)
	sizes := p.buffers
	p.mu.Unlock()
	return p.each(sizes.apply)
}

// apply sets the sizes of a connection that came from the Gateway.
func (b buffers) apply(conn net.PacketConn) error {
	if b == (buffers{}) {
		return nil
	}
	sized, ok := conn.(interface {
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	})
	if !ok {
		return errors.ErrUnsupported
	}
	if b.read != 0 {
		if err := sized.SetReadBuffer(b.read); err != nil {
			return err
		}
	}
	if b.write != 0 {
		return sized.SetWriteBuffer(b.write)
	}
	return nil
}
