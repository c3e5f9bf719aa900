package resolver

import (
	"net"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// datagrams reads queries from a UDP socket and sends the responses. A response is sent from the address that its query
// was sent to. It has one user at a time, except for the functions that later returns.
//
// There are two implementations: batch, on Linux, reads and sends many datagrams with one system call; single takes
// one at a time from any net.PacketConn.
type datagrams interface {
	// read waits for queries, and returns their number. They are valid until the next read.
	read() (n int, err error)

	// query returns query i, counted from zero.
	query(i int) []byte

	// room returns an empty buffer for the response to query i.
	room(i int) []byte

	// respond notes the response to query i, for send.
	respond(i int, msg []byte)

	// send sends the responses, and calls unsent for each that it cannot send.
	send(unsent func(to net.Addr, err error))

	// later returns the sender of query i, and a function that sends the response: at any time, from any goroutine.
	later(i int) (from net.Addr, respond func(msg []byte) error)
}

// batchLen is the most datagrams that are read at once.
const batchLen = 16

// single reads one datagram at a time from any socket.
type single struct {
	conn     net.PacketConn
	anyAddr  *net.UDPConn // conn, if it is bound to all addresses; otherwise nil
	in       []byte
	n        int
	buffer   []byte
	response []byte // nil: none
	from     net.Addr
	session  *dns.SessionUDP // for anyAddr: the client, and the address that the query was sent to
}

func newSingle(p net.PacketConn) *single {
	s := &single{conn: p, in: make([]byte, dns.MaxMsgSize), buffer: make([]byte, 0, dns.MinMsgSize)}
	if udp, ok := p.(*net.UDPConn); ok && boundToAll(udp) && receiveDestination(udp) {
		s.anyAddr = udp
	}
	return s
}

func (s *single) read() (n int, err error) {
	s.response = nil
	if s.anyAddr == nil {
		s.n, s.from, err = s.conn.ReadFrom(s.in)
		return 1, err
	}
	s.n, s.session, err = dns.ReadFromSessionUDP(s.anyAddr, s.in)
	if err == nil {
		s.from = s.session.RemoteAddr()
	}
	return 1, err
}

func (s *single) query(int) []byte          { return s.in[:s.n] }
func (s *single) room(int) []byte           { return s.buffer }
func (s *single) respond(_ int, msg []byte) { s.response = msg }

func (s *single) send(unsent func(to net.Addr, err error)) {
	if s.response == nil {
		return
	}
	from, respond := s.later(0)
	if err := respond(s.response); err != nil {
		unsent(from, err)
	}
}

func (s *single) later(int) (net.Addr, func(msg []byte) error) {
	conn, anyAddr, from, session := s.conn, s.anyAddr, s.from, s.session
	return from, func(msg []byte) (err error) {
		if anyAddr == nil {
			_, err = conn.WriteTo(msg, from)
		} else {
			_, err = dns.WriteToSessionUDP(anyAddr, msg, session)
		}
		return err
	}
}

// boundToAll reports whether a socket is bound to the unspecified address, so that each response must name the address
// that it is sent from.
func boundToAll(udp *net.UDPConn) bool {
	local, ok := udp.LocalAddr().(*net.UDPAddr)
	return ok && local.IP.IsUnspecified()
}

// receiveDestination makes the system tell the address that each datagram was sent to, and reports whether it will.
func receiveDestination(udp *net.UDPConn) bool {
	err4 := ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
	err6 := ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
	return err4 == nil || err6 == nil
}
