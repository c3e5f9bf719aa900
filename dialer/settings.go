package dialer

import (
	"errors"
	"net"
	"time"
)

// SetDeadline sets the read and write deadlines.
func (p *PacketConn) SetDeadline(t time.Time) error {
	if err := p.SetReadDeadline(t); err != nil {
		return err
	}
	return p.SetWriteDeadline(t)
}

// SetReadDeadline sets the time after which reads fail. The zero time means never.
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

// SetWriteDeadline sets the time after which writes fail, including writes that wait for an association. The zero
// time means never, but a write waits at most 30 seconds for an association.
func (p *PacketConn) SetWriteDeadline(t time.Time) error {
	p.writeBy.set(t)
	return p.each(func(conn net.PacketConn) error { return conn.SetWriteDeadline(t) })
}

// each calls do with every open association. It returns do's error only if there is a single flow: if there are
// several, an association that has just ended must not fail the call.
func (p *PacketConn) each(do func(net.PacketConn) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("set", nil, net.ErrClosed)
	}
	for _, f := range p.flows {
		if f.open == nil {
			continue
		}
		if err := p.unlessEnded(do(f.open.conn)); err != nil && len(p.flows) == 1 {
			return p.fail("set", nil, err)
		}
	}
	return nil
}

// unlessEnded returns err, or nil if err says that the association has ended and p outlives it, because p has no
// fixed peer.
func (p *PacketConn) unlessEnded(err error) error {
	if p.fixed == nil && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// buffers are the sizes, in bytes, of a socket's two buffers. Zero is the operating system's choice.
type buffers struct{ read, write int }

// SetReadBuffer sets the size, in bytes, of the operating system's receive buffer of each association, including
// later ones. The error matches errors.ErrUnsupported if the Gateway's associations lack SetReadBuffer or
// SetWriteBuffer.
func (p *PacketConn) SetReadBuffer(bytes int) error {
	return p.resize(func(b *buffers) { b.read = bytes })
}

// SetWriteBuffer is [PacketConn.SetReadBuffer] for the transmit buffer.
func (p *PacketConn) SetWriteBuffer(bytes int) error {
	return p.resize(func(b *buffers) { b.write = bytes })
}

// resize changes a buffer size for later associations, and applies that size to every open one.
func (p *PacketConn) resize(change func(*buffers)) error {
	p.mu.Lock()
	change(&p.buffers)
	p.mu.Unlock()
	var changed buffers
	change(&changed)
	return p.each(changed.apply)
}

// apply sets the sizes on conn, an association's connection.
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
