package dialer

import (
	"net"
	"syscall"

	"github.com/sockslib/sockslib/internal/netconn"
)

// SyscallConn gives access to the associations' sockets, by Control alone, for their options: it calls its
// func for each that is open, and for none where there is none; in a chain of gateways they lead to the first. An
// association that is made later has the same don't-fragment bits and buffers. Read and Write of what it
// returns are errors.ErrUnsupported: they would miss SOCKS's header. [PacketConn.ReadBatch] and
// [PacketConn.WriteBatch] do what they are mostly wanted for.
func (p *PacketConn) SyscallConn() (syscall.RawConn, error) {
	if p.over() {
		return nil, p.fail("raw", nil, net.ErrClosed)
	}
	return netconn.ControlOnly(p.control), nil
}

func (p *PacketConn) control(f func(fd uintptr)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fail("raw", nil, net.ErrClosed)
	}
	for _, flow := range p.flows {
		if flow.by == nil {
			continue
		}
		controlOf(flow.by.conn, func(fd uintptr) {
			f(fd)
			p.options = optionsOf(fd)
		})
	}
	return nil
}

// controlOf calls f with the descriptor of an association's socket, if it has one. What fails there fails in
// reads and writes too, and is told there.
func controlOf(conn net.PacketConn, f func(fd uintptr)) {
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(f)
		}
	}
}
