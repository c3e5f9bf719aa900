package resolver

import (
	"net"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// datagrams is what one reader uses of a UDP socket: it takes the queries that are there, and sends the answers that
// are ready together. Every answer is sent from the address that its query was sent to.
type datagrams interface {
	// read waits for queries, and returns how many there are; they are there until the next read.
	read() (n int, err error)

	// query returns query i, counted from zero.
	query(i int) []byte

	// room returns an empty buffer for the answer to query i.
	room(i int) []byte

	// answer takes the answer to query i, which send will send.
	answer(i int, msg []byte)

	// send sends the answers, and tells of each that it cannot.
	send(unsent func(to net.Addr, err error))

	// later returns who sent query i, and what answers it after the next read too, from any goroutine.
	later(i int) (from net.Addr, reply func(msg []byte) error)
}

// batchLen is how many datagrams a reader takes at once, at most.
const batchLen = 16

// single takes one datagram at a time from any socket.
type single struct {
	conn  net.PacketConn
	udp   *net.UDPConn // conn, if it is bound to all addresses; otherwise nil
	in    []byte
	n     int
	space []byte
	out   []byte // the answer; nil: none
	from  net.Addr
	asked *dns.SessionUDP // of udp: where the query came from, and which address it was sent to
}

func newSingle(p net.PacketConn) *single {
	s := &single{conn: p, in: make([]byte, dns.MaxMsgSize), space: make([]byte, 0, dns.MinMsgSize)}
	if udp, ok := p.(*net.UDPConn); ok && allAddresses(udp) && askDestination(udp) {
		s.udp = udp
	}
	return s
}

func (s *single) read() (n int, err error) {
	s.out = nil
	if s.udp == nil {
		s.n, s.from, err = s.conn.ReadFrom(s.in)
		return 1, err
	}
	s.n, s.asked, err = dns.ReadFromSessionUDP(s.udp, s.in)
	if err == nil {
		s.from = s.asked.RemoteAddr()
	}
	return 1, err
}

func (s *single) query(int) []byte         { return s.in[:s.n] }
func (s *single) room(int) []byte          { return s.space }
func (s *single) answer(_ int, msg []byte) { s.out = msg }

func (s *single) send(unsent func(to net.Addr, err error)) {
	if s.out == nil {
		return
	}
	from, reply := s.later(0)
	if err := reply(s.out); err != nil {
		unsent(from, err)
	}
}

func (s *single) later(int) (net.Addr, func(msg []byte) error) {
	conn, udp, from, asked := s.conn, s.udp, s.from, s.asked
	return from, func(msg []byte) (err error) {
		if udp == nil {
			_, err = conn.WriteTo(msg, from)
		} else {
			_, err = dns.WriteToSessionUDP(udp, msg, asked)
		}
		return err
	}
}

// allAddresses reports whether a socket is bound to no one address, so that each answer must name its own.
func allAddresses(udp *net.UDPConn) bool {
	local, ok := udp.LocalAddr().(*net.UDPAddr)
	return ok && local.IP.IsUnspecified()
}

// askDestination asks for the address that each datagram was sent to, and reports whether it will come.
func askDestination(udp *net.UDPConn) bool {
	err4 := ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
	err6 := ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
	return err4 == nil || err6 == nil
}
