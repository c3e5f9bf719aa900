package faults

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// destination is a name that only the gateway knows. The destination sends said, at the beginning of a stream and in
// answer to each datagram.
const (
	destination = "destination.example"
	said        = "first data"
)

var destinationIP = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// request is a command with the use of its result.
type request struct {
	name    string
	stages  []testgw.Stage // the gateway's answers after authentication
	streams bool           // the result is a stream
	do      func(ctx context.Context, d *dialer.Dialer, port string, u user) (heard string, err error)
}

var requests = []request{
	{"CONNECT", []testgw.Stage{testgw.StageReply}, true, connect},
	{"BIND", []testgw.Stage{testgw.StageReply, testgw.StageSecondReply}, true, bind},
	{"ASSOCIATE", []testgw.Stage{testgw.StageReply}, false, associate},
	{"RESOLVE", []testgw.Stage{testgw.StageReply}, false, resolve},
}

func connect(ctx context.Context, d *dialer.Dialer, port string, u user) (string, error) {
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(destination, port))
	if err != nil {
		return "", err
	}
	return u.stream(conn)
}

func bind(ctx context.Context, d *dialer.Dialer, port string, u user) (string, error) {
	l, err := d.Listen(ctx, "tcp", net.JoinHostPort(destination, port))
	if err != nil {
		return "", err
	}
	defer l.Close()
	limit, _ := ctx.Deadline()
	if err := l.(*dialer.Listener).SetDeadline(limit); err != nil {
		return "", err
	}
	conn, err := l.Accept()
	if err != nil {
		return "", err
	}
	return u.stream(conn)
}

func associate(ctx context.Context, d *dialer.Dialer, port string, u user) (string, error) {
	conn, err := d.DialContext(ctx, "udp", net.JoinHostPort(destination, port))
	if err != nil {
		return "", err
	}
	return u.datagrams(conn)
}

// resolve uses the Dialer's Client, because a Dialer has no Resolve.
func resolve(ctx context.Context, d *dialer.Dialer, _ string, _ user) (string, error) {
	addr, err := d.Gateway.(*socks.Client).Resolve(ctx, destination)
	if err == nil && addr == destinationIP {
		return said, nil
	}
	return addr.String(), err
}

// reach makes the destination of g's streams one in memory.
func reach(g *testgw.Gateway) {
	g.Hosts = map[string][]netip.Addr{destination: {destinationIP}}
	g.Forgetful = true
	g.Dial = func(context.Context, string, string) (net.Conn, error) { return speaker(), nil }
	g.Listen = func(context.Context, string, string) (net.Listener, error) { return lobby{g}, nil }
}

// speakerOfDatagrams starts a destination on loopback that answers each datagram with said, and returns its port.
func speakerOfDatagrams(t testing.TB) (port string) {
	return answerDatagrams(t, func([]byte) []byte { return []byte(said) })
}

// answerDatagrams starts a destination on loopback that sends an answer to each datagram, and returns its port.
func answerDatagrams(t testing.TB, answer func(datagram []byte) []byte) (port string) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { // the test's; ends with the socket
		defer close(done)
		var buf [256]byte
		for {
			n, from, err := socket.ReadFromUDPAddrPort(buf[:])
			if err != nil {
				return
			}
			_, _ = socket.WriteToUDPAddrPort(answer(buf[:n]), from)
		}
	}()
	t.Cleanup(func() { socket.Close(); <-done })
	return strconv.Itoa(socket.LocalAddr().(*net.UDPAddr).Port)
}

// goodbye makes a speaker close the connection.
const goodbye = "goodbye"

// speaker returns a connection to a destination that sends said, and then sends back what it receives until that
// is goodbye.
func speaker() net.Conn {
	near, far := net.Pipe()
	go func() { // ends with the connection
		defer far.Close()
		buf := make([]byte, 64)
		for n := copy(buf, said); string(buf[:n]) != goodbye; {
			if _, err := far.Write(buf[:n]); err != nil {
				return
			}
			var err error
			if n, err = far.Read(buf); err != nil {
				return
			}
		}
	}()
	return peerConn{near}
}

// peerConn is a connection with the address of a peer of the gateway.
type peerConn struct{ net.Conn }

var peerAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711} // reported in replies, never dialed

func (peerConn) RemoteAddr() net.Addr { return peerAddr }
func (peerConn) LocalAddr() net.Addr  { return peerAddr }

// lobby is a listener whose Accept returns a connection at once.
type lobby struct{ g *testgw.Gateway }

func (l lobby) Accept() (net.Conn, error) { return l.g.Dial(context.Background(), "tcp", "") }
func (l lobby) Addr() net.Addr            { return peerAddr }
func (l lobby) Close() error              { return nil }

// answer is a message from a gateway.
type answer struct {
	stage  testgw.Stage
	length int
}

// answers returns the gateway's messages before the stream, in order.
func (r request) answers(credentials bool) []answer {
	all := []answer{{testgw.StageMethod, wire.MethodLen}}
	if credentials {
		all = append(all, answer{testgw.StageStatus, wire.StatusLen})
	}
	for _, stage := range r.stages {
		all = append(all, answer{stage, 3 + 1 + 4 + 2}) // an IPv4 BND
	}
	return all
}

// patience is the time that a cell may take on a busy machine.
const patience = 10 * time.Second
