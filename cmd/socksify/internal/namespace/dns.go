package namespace

import (
	"context"
	"log"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sockslib/sockslib/cmd/socksify/internal/policy"
	"github.com/sockslib/sockslib/resolver"
)

// dnsPort is the port at which the name server answers, at every address.
const dnsPort = 53

// dns answers the program's DNS queries to every server.
type dns struct {
	server  *resolver.Server
	queries *queries
	conns   *conns
	running sync.WaitGroup
}

// newDNS starts to answer queries, until close.
func newDNS(p *policy.Policy, send func(packet []byte)) *dns {
	d := &dns{
		server: &resolver.Server{
			Resolver: &resolver.Resolver{Table: p.Dialer.Table},
			Search:   []string{}, // the program's resolv.conf has none
			ErrorLog: log.New(p.Log, "", 0),
		},
		queries: &queries{waiting: make(chan query, 1024), ended: make(chan struct{}), send: send},
		conns:   &conns{waiting: make(chan net.Conn), closed: make(chan struct{})},
	}
	d.running.Go(func() { _ = d.server.ServePacket(d.queries) }) // owned by d; ends with close
	d.running.Go(func() { _ = d.server.Serve(d.conns) })         // owned by d; ends with close
	return d
}

// listen starts to answer queries on two sockets inside the namespace. close closes them.
func (d *dns) listen(packets net.PacketConn, stream net.Listener) {
	d.running.Go(func() { _ = d.server.ServePacket(packets) }) // owned by d; ends with close
	d.running.Go(func() { _ = d.server.Serve(stream) })        // owned by d; ends with close
}

func (d *dns) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.server.Shutdown(ctx)
	d.running.Wait()
}

// query is a datagram to port 53. It is also the net.Addr that queries gives the Server for it, so that WriteTo knows
// which address the answer must come from.
type query struct {
	from, asked netip.AddrPort
	payload     []byte
}

func (query) Network() string  { return "udp" }
func (q query) String() string { return q.from.String() }

// queries is a net.PacketConn that receives the datagrams to port 53.
type queries struct {
	waiting chan query
	ended   chan struct{} // closed when reads must fail
	once    sync.Once
	send    func(packet []byte)
}

// ask adds a query. It drops the query if too many wait, like a full socket.
func (q *queries) ask(m query) {
	select {
	case q.waiting <- m:
	default:
	}
}

func (q *queries) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case m := <-q.waiting:
		return copy(b, m.payload), m, nil
	case <-q.ended:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (q *queries) WriteTo(b []byte, to net.Addr) (int, error) {
	if m, ok := to.(query); ok && len(b) <= maxPayload {
		q.send(datagram(m.asked, m.from, b))
	}
	return len(b), nil
}

func (q *queries) Close() error                     { q.once.Do(func() { close(q.ended) }); return nil }
func (q *queries) LocalAddr() net.Addr              { return query{from: netip.AddrPortFrom(server4, dnsPort)} }
func (q *queries) SetReadDeadline(time.Time) error  { return q.Close() } // the Server sets it only to stop
func (q *queries) SetWriteDeadline(time.Time) error { return nil }
func (q *queries) SetDeadline(time.Time) error      { return q.Close() }

// conns is a net.Listener that accepts the connections to port 53.
type conns struct {
	waiting chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// add passes c to Accept, or closes it if l is closed.
func (l *conns) add(c net.Conn) {
	select {
	case l.waiting <- c:
	case <-l.closed:
		c.Close()
	}
}

func (l *conns) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *conns) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *conns) Addr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(server4, dnsPort)) }
