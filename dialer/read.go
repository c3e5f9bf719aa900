package dialer

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/socks"
)

// ReadFromAddrPort reads the payload of a datagram into b and returns its length and sender. Bytes that do not fit
// are lost, as with UDP. A fixed peer's PacketConn drops datagrams of other senders. ReadFromAddrPort does not
// allocate.
func (p *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := p.read(b)
		if err != nil {
			return 0, netip.AddrPort{}, p.fail("read", nil, err)
		}
		if p.fixed == nil || from == p.fixed.remote {
			return n, from, nil
		}
		p.dropStranger(from)
	}
}

// read waits for a datagram from the inbox, or from the first association if there is no inbox yet. It goes on waiting
// after a datagram that origin drops, when startInbox wakes it, and when the first association has ended, unless there
// is a fixed peer.
func (p *PacketConn) read(b []byte) (int, netip.AddrPort, error) {
	for {
		p.readers.RLock()
		if in := p.inbox.Load(); in != nil {
			p.readers.RUnlock()
			return in.read(p.readBy.context(), b)
		}
		n, from, err := p.first.read(b)
		p.readers.RUnlock()
		switch {
		case err == nil:
			if from, ok := p.origin(p.first, from); ok {
				return n, from, nil
			}
			p.dropStranger(from)
		case p.inbox.Load() != nil: // woken by startInbox
		case p.fixed != nil:
			p.endFixed(err)
			return 0, netip.AddrPort{}, err
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, netip.AddrPort{}, err
		case p.isClosed():
			return 0, netip.AddrPort{}, net.ErrClosed
		default:
			p.end(p.first, err)
		}
	}
}

// readBuffered is like ReadFromAddrPort, but does not wait: it reports false if no datagram is buffered.
func (p *PacketConn) readBuffered(b []byte) (n int, from netip.AddrPort, ok bool) {
	for {
		p.readers.RLock()
		in := p.inbox.Load()
		if in != nil {
			p.readers.RUnlock()
			return in.readBuffered(b)
		}
		n, from, ok = p.first.readBuffered(b)
		p.readers.RUnlock()
		if !ok {
			return 0, netip.AddrPort{}, false
		}
		if from, ok = p.origin(p.first, from); ok && (p.fixed == nil || from == p.fixed.remote) {
			return n, from, true
		}
		p.dropStranger(from)
	}
}

// dropStranger counts a datagram that is dropped because of its sender, and calls the Trace.
func (p *PacketConn) dropStranger(from netip.AddrPort) {
	p.strangers.Add(1)
	p.dialer.Trace.packetDropped(from, socks.DropStranger)
}

// ReadFrom is [PacketConn.ReadFromAddrPort], but returns the sender as a new *net.UDPAddr.
func (p *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, netconn.UDPAddr(from), nil
}

// Read is [PacketConn.ReadFromAddrPort], but does not return the sender.
func (p *PacketConn) Read(b []byte) (int, error) {
	n, _, err := p.ReadFromAddrPort(b)
	return n, err
}
