package dialer

import (
	"net"
	"syscall"

	"github.com/sockslib/sockslib/internal/netconn"
)

// SyscallConn returns access to the socket options of the associations. Its Control calls the func once per open
// association, with the socket to the relay or, in a chain of gateways, to the first gateway's relay. On Linux, an
// association that is made later gets the same don't-fragment bits and buffer sizes. Read and Write of the result
// return errors.ErrUnsupported, because they would bypass the SOCKS header; use [PacketConn.ReadBatch] and
// [PacketConn.WriteBatch] instead. The func must not call methods of the PacketConn.
func (p *PacketConn) SyscallConn() (syscall.RawConn, error) {
	if p.isClosed() {
		return nil, p.fail("raw", nil, net.ErrClosed)
	}
	return netconn.ControlOnly(p.control), nil
}

// control calls f for the socket of each open association, and keeps the socket's options for later associations.
func (p *PacketConn) control(f func(fd uintptr)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("raw", nil, net.ErrClosed)
	}
	for _, flow := range p.flows {
		if flow.open == nil {
			continue
		}
		controlOf(flow.open.conn, func(fd uintptr) {
			f(fd)
			p.options = optionsOf(fd)
			if optionsHaveBuffers {
				p.buffers = buffers{} // the sizes that were set last count
			}
		})
	}
	return nil
}

// controlOf calls f with the descriptor of conn's socket, if it has one. It returns no error: a socket that fails
// here also fails in reads and writes.
func controlOf(conn net.PacketConn, f func(fd uintptr)) {
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(f)
		}
	}
}
