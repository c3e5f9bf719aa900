package dialer

import (
	"errors"
	"net"
)

// buffers are the sizes, in octets, of a socket's two buffers. Zero: the operating system's choice.
type buffers struct{ read, write int }

// SetReadBuffer sets the size, in octets, of the operating system's receive buffer for each association,
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
