package resolver

import (
	"net"
	"net/netip"
	"runtime"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// socket reads queries and sends their answers, from the address that was asked.
type socket struct {
	conn    net.PacketConn
	udp     *net.UDPConn     // nil: not one
	many    *ipv4.PacketConn // udp, where it takes and gives several datagrams at once; nil: one by one
	session bool             // bound to all addresses: each answer must name its own
}

// peer is where a query came from, in the form that its answer needs too.
type peer struct {
	addr    netip.AddrPort
	session *dns.SessionUDP // of a socket that is bound to all addresses
	other   net.Addr        // of one that takes several at once, and of one that is no *net.UDPConn
}

func newSocket(p net.PacketConn) *socket {
	sock := &socket{conn: p}
	udp, ok := p.(*net.UDPConn)
	if !ok {
		return sock
	}
	sock.udp = udp
	if local, ok := udp.LocalAddr().(*net.UDPAddr); ok && local.IP.IsUnspecified() {
		err4 := ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
		err6 := ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
		sock.session = err4 == nil || err6 == nil
	}
	if !sock.session && runtime.GOOS == "linux" {
		sock.many = ipv4.NewPacketConn(udp) // of either family: what it adds for IPv4 is not used
	}
	return sock
}

func (s *socket) read(buf []byte) (n int, from peer, err error) {
	switch {
	case s.session:
		n, from.session, err = dns.ReadFromSessionUDP(s.udp, buf)
		if err == nil {
			from.addr = from.session.RemoteAddr().(*net.UDPAddr).AddrPort()
		}
	case s.udp != nil:
		n, from.addr, err = s.udp.ReadFromUDPAddrPort(buf)
	default:
		n, from.other, err = s.conn.ReadFrom(buf)
		if err == nil {
			from.addr, _ = netip.ParseAddrPort(from.other.String()) // of another kind of socket: one client
		}
	}
	return n, from, err
}

func (s *socket) write(msg []byte, to peer) (err error) {
	switch {
	case s.session:
		_, err = dns.WriteToSessionUDP(s.udp, msg, to.session)
	case s.udp != nil:
		_, err = s.udp.WriteToUDPAddrPort(msg, to.addr)
	default:
		_, err = s.conn.WriteTo(msg, to.other)
	}
	return err
}

// batchLen is how many datagrams a reader takes at once, at most.
const batchLen = 16

// batch is what a reader takes from a socket at once: what is there, where the system gives it, otherwise
// one datagram. It collects the answers that are ready, to send them at once too.
type batch struct {
	*socket
	in    []ipv4.Message // a buffer each
	from  peer           // of the datagram that came alone
	rooms [][]byte       // for an answer each
	out   []ipv4.Message // room for one buffer each; as many as there are answers
	to    []peer         // of the answers
}

func (s *socket) newBatch() *batch {
	n := 1
	if s.many != nil {
		n = batchLen
	}
	b := &batch{socket: s, in: make([]ipv4.Message, n), rooms: make([][]byte, n), out: make([]ipv4.Message, 0, n)}
	for i := range n {
		b.in[i].Buffers = [][]byte{make([]byte, dns.MaxMsgSize)}
		b.rooms[i] = make([]byte, 0, dns.MinMsgSize)
		b.out[:n][i].Buffers = make([][]byte, 1)
	}
	return b
}

// read waits for datagrams, and returns how many there are.
func (b *batch) read() (n int, err error) {
	b.out, b.to = b.out[:0], b.to[:0]
	if b.many != nil {
		return b.many.ReadBatch(b.in, 0)
	}
	b.in[0].N, b.from, err = b.socket.read(b.in[0].Buffers[0])
	return 1, err
}

// query returns a datagram, which is there until the next read, and where it is from.
func (b *batch) query(i int) ([]byte, peer) {
	m := &b.in[i]
	if b.many != nil {
		return m.Buffers[0][:m.N], peer{addr: m.Addr.(*net.UDPAddr).AddrPort(), other: m.Addr}
	}
	return m.Buffers[0][:m.N], b.from
}

// room is an empty buffer for the answer to a datagram.
func (b *batch) room(i int) []byte { return b.rooms[i] }

// answer takes an answer, which send will send.
func (b *batch) answer(msg []byte, to peer) {
	b.to = append(b.to, to)
	b.out = b.out[:len(b.to)]
	m := &b.out[len(b.to)-1]
	m.Buffers[0], m.Addr = msg, to.other
}

// send sends the answers, and tells of each that it cannot.
func (b *batch) send(unsent func(to peer, err error)) {
	for done := 0; done < len(b.out); {
		n, err := 1, error(nil)
		if b.many != nil {
			n, err = b.many.WriteBatch(b.out[done:], 0)
		} else {
			err = b.write(b.out[done].Buffers[0], b.to[done])
		}
		if err != nil { // of the first one
			unsent(b.to[done], err)
			n = 1
		}
		done += n
	}
}
