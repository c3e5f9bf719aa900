package testgw

import (
	"context"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/udpsegment"
	"github.com/sockslib/sockslib/internal/wire"
)

// socketBuffer is the size, in bytes, of each buffer of an association's sockets; the system may limit it.
const socketBuffer = 4 << 20

// offload prepares the sockets to read and send many datagrams by one system call, and reports whether that is
// possible. It is not possible if the gateway misbehaves, has quirks or a next gateway, or protects the datagrams.
func (a *association) offload() bool {
	g := a.s.g
	if _, plain := a.near.(clientSocket); !plain || g.Misbehave != nil || g.Quirks != (Quirks{}) || g.ListenPacket != nil || !udpsegment.CanSplit(a.relay) {
		return false
	}
	for _, socket := range []*net.UDPConn{a.relay, a.out4, a.out6} {
		if socket != nil {
			_ = socket.SetReadBuffer(socketBuffer)
			_ = socket.SetWriteBuffer(socketBuffer)
			udpsegment.Join(socket)
		}
	}
	return true
}

// inlet reads datagrams from a socket on which the system may join several.
type inlet struct {
	socket *net.UDPConn
	buf    []byte
	oob    []byte
	all    []byte // the datagrams in buf that next has not returned yet
	size   int    // of each datagram; the last may be shorter
}

func newInlet(socket *net.UDPConn) *inlet {
	return &inlet{socket: socket, buf: make([]byte, maxDatagram), oob: make([]byte, 128)}
}

// read reads one or more joined datagrams and returns their sender.
func (in *inlet) read() (from netip.AddrPort, err error) {
	n, oobn, _, from, err := in.socket.ReadMsgUDPAddrPort(in.buf, in.oob)
	if err != nil {
		return from, err
	}
	in.all = in.buf[:n]
	if in.size = udpsegment.Received(in.oob[:oobn]); in.size == 0 {
		in.size = n
	}
	return from, nil
}

// next returns the next datagram that was read, and reports whether it is the last.
func (in *inlet) next() (datagram []byte, last bool) {
	n := min(len(in.all), in.size)
	datagram, in.all = in.all[:n], in.all[n:]
	return datagram, len(in.all) == 0
}

// outlet sends a run of datagrams to one destination by one system call. The datagrams of a run have the same size,
// except that the last may be shorter.
type outlet struct {
	to     netip.AddrPort
	buf    []byte
	size   int // of each datagram
	count  int
	ended  bool // the last datagram is shorter or empty: the run is complete
	oob    []byte
	socket func(to netip.AddrPort) *net.UDPConn // returns nil if there is none of the family
	single func(datagram []byte)                // sends one datagram of a run that could not be sent as a whole
}

// add adds a datagram, header and payload, to the run. If it does not fit, add sends the run and begins another.
func (out *outlet) add(to netip.AddrPort, header, payload []byte) {
	n := len(header) + len(payload)
	if out.count > 0 && (out.ended || to != out.to || n > out.size || n == 0 || out.count == udpsegment.Most || len(out.buf)+n > udpsegment.MaxBytes) {
		out.flush()
	}
	if out.count == 0 {
		out.to, out.size = to, n
	}
	out.buf = append(append(out.buf, header...), payload...)
	out.count++
	out.ended = n < out.size || n == 0
}

// flush sends the run, if there is one.
func (out *outlet) flush() {
	if socket := out.socket(out.to); out.count > 1 && socket != nil {
		out.oob = udpsegment.Append(out.oob[:0], out.size)
		if _, _, err := socket.WriteMsgUDPAddrPort(out.buf, out.oob, out.to); err == nil {
			out.count = 0
		}
	}
	for b := out.buf; out.count > 0; out.count-- { // a single datagram, or the device cannot split
		n := min(len(b), out.size)
		out.single(b[:n])
		b = b[n:]
	}
	out.buf = out.buf[:0]
	out.ended = false
}

// upstreamJoined is upstream for joined datagrams.
func (a *association) upstreamJoined(ctx context.Context) {
	var current *route // of the run
	in := newInlet(a.relay)
	out := &outlet{socket: a.socketFor, single: func(payload []byte) { a.send(ctx, current, payload) }}
	for {
		from, err := in.read()
		if err != nil {
			return
		}
		if !a.admits(from) {
			continue
		}
		for last := false; !last; {
			var datagram []byte
			datagram, last = in.next()
			r, payload := a.route(datagram)
			if r == nil {
				continue
			}
			if r != current {
				out.flush() // by way of current
				current = r
			}
			if a.resolve(ctx, r); len(r.addrs) > 0 {
				out.add(r.addrs[0], nil, payload)
			}
		}
		out.flush()
	}
}

func (a *association) socketFor(to netip.AddrPort) *net.UDPConn {
	if to.Addr().Is4() {
		return a.out4
	}
	return a.out6
}

// downstreamJoined is downstream for joined datagrams.
func (a *association) downstreamJoined(socket *net.UDPConn) {
	var header []byte
	var source netip.AddrPort // the sender in header
	in := newInlet(socket)
	relay := func(netip.AddrPort) *net.UDPConn { return a.relay }
	out := &outlet{socket: relay}
	out.single = func(datagram []byte) { _, _ = a.relay.WriteToUDPAddrPort(datagram, out.to) }
	for {
		from, err := in.read()
		if err != nil {
			return
		}
		known := a.known.Load()
		if known == nil {
			continue // the client has sent nothing, so this is no answer
		}
		if from != source {
			source = from
			header, _ = wire.AppendHeader(header[:0], wire.Addr{IP: from.Addr().Unmap().WithZone(""), Port: from.Port()})
		}
		for last := false; !last; {
			var payload []byte
			payload, last = in.next()
			out.add(*known, header, payload)
		}
		out.flush()
	}
}
