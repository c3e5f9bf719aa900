package socks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// startGateway starts a gateway. Only the gateway can resolve intranet.example.
func startGateway(g *testgw.Gateway) *testgw.Gateway {
	g.Hosts = map[string][]netip.Addr{"intranet.example": {netip.MustParseAddr("127.0.0.1")}}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	return g
}

// An HTTP client reaches a host by a name that only the gateway can resolve.
func ExampleClient() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "welcome") }))
	defer server.Close()
	u, _ := url.Parse(server.URL)
	u.Host = "intranet.example:" + u.Port()

	client := &socks.Client{Addr: gateway.Addr().String(), Timeout: 10 * time.Second}
	transport := &http.Transport{DialContext: client.DialContext}
	defer transport.CloseIdleConnections()

	resp, err := (&http.Client{Transport: transport}).Get(u.String())
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body))
	// Output: 200 OK welcome
}

// A chain of two gateways: Forward connects to the second gateway through the first.
func ExampleClient_chain() {
	first, second := startGateway(new(testgw.Gateway)), startGateway(new(testgw.Gateway))
	defer first.Close()
	defer second.Close()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())

	client := &socks.Client{
		Addr:    second.Addr().String(),
		Forward: &socks.Client{Addr: first.Addr().String()},
	}
	conn, err := client.Dial("tcp", "intranet.example:"+port)
	if err != nil {
		log.Fatal(err)
	}
	conn.Close()
	fmt.Println("first gateway asked for the second:", first.Requests()[0].Target.String() == second.Addr().String())
	fmt.Println("second gateway asked for:", second.Requests()[0].Name)
	// Output:
	// first gateway asked for the second: true
	// second gateway asked for: intranet.example
}

// CloseWrite ends one direction of a Conn; reads still work.
func ExampleConn() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the connection
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		fmt.Fprintf(c, "%d bytes received", n)
	}()

	client := &socks.Client{Addr: gateway.Addr().String()}
	c, err := client.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conn := c.(*socks.Conn)
	io.WriteString(conn, "all there is")
	conn.CloseWrite()
	answer, _ := io.ReadAll(conn)
	fmt.Println(string(answer))
	// Output: 12 bytes received
}

// A Listener accepts the data connection of a protocol such as active FTP.
func ExampleListener() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()

	client := &socks.Client{Addr: gateway.Addr().String()}
	l, err := client.Listen(context.Background(), "tcp", "intranet.example:21")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	// The application sends this address to the server, as FTP's PORT does; the server connects to it.
	go func(address string) { // ends with the connection
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "the file")
	}(l.Addr().String())

	conn, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	data, _ := io.ReadAll(conn)
	fmt.Println(string(data))
	// Output: the file
}

// A PacketConn sends datagrams to names.
func ExamplePacketConn() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	go func() { // ends with its one answer
		b := make([]byte, 100)
		n, from, _ := server.ReadFrom(b)
		server.WriteTo(append(b[:n], ", world"...), from)
	}()

	client := &socks.Client{Addr: gateway.Addr().String()}
	conn, err := client.ListenPacket(context.Background(), "udp", "")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	port := server.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	if _, err := conn.WriteTo([]byte("hello"), &socks.Addr{Name: "intranet.example", Port: port}); err != nil {
		log.Fatal(err)
	}
	b := make([]byte, 100)
	n, from, err := conn.ReadFrom(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b[:n]))
	fmt.Println("from the address that the gateway resolved:", from.(*net.UDPAddr).IP)
	// Output:
	// hello, world
	// from the address that the gateway resolved: 127.0.0.1
}

func ExampleAddr() {
	for _, address := range []string{"Example.COM.:https", "[2001:db8::1]:53", "bücher.example:80", "[fe80::1%eth0]:80"} {
		a, err := socks.ParseAddr("tcp", address)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(a, a.IP.IsValid())
	}
	// Output:
	// example.com:443 false
	// [2001:db8::1]:53 true
	// xn--bcher-kva.example:80 false
	// address [fe80::1%eth0]:80: a zone means nothing to a gateway
}

func ExampleUserPass() {
	gateway := startGateway(&testgw.Gateway{Users: map[string]string{"alice": "correct horse"}})
	defer gateway.Close()

	for _, password := range []string{"correct horse", "battery staple"} {
		auth := socks.UserPass("alice", password)
		client := &socks.Client{Addr: gateway.Addr().String(), Auth: []socks.Auth{auth}}
		addr, err := client.Resolve(context.Background(), "intranet.example")
		fmt.Println(auth, addr, errors.Is(err, socks.ErrAuthFailed))
	}
	// Output:
	// socks.UserPass(…) 127.0.0.1 false
	// socks.UserPass(…) invalid IP true
}

func ExampleParseURL() {
	for _, raw := range []string{"socks5://alice:secret@gateway.example", "socks5s://gateway.example:443", "socks5+unix:///run/gateway", "socks5://alice:se/cret@gateway.example"} {
		client, err := socks.ParseURL(raw)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%q %s TLS:%t %v\n", client.Network, client.Addr, client.TLS != nil, client.Auth)
	}
	// Output:
	// "" gateway.example:1080 TLS:false [socks.UserPass(…) socks.NoAuth]
	// "" gateway.example:443 TLS:true []
	// "unix" /run/gateway TLS:false []
	// gateway URL: malformed; percent-encode special characters in the user and the password
}

// A Reply distinguishes a destination that refuses from a gateway that is down.
func ExampleReply() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()

	client := &socks.Client{Addr: gateway.Addr().String()}
	_, err := client.Dial("tcp", "127.0.0.1:1") // nothing listens there
	fmt.Println(errors.Is(err, socks.ErrConnectionRefused), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, socks.ErrGateway))

	var reply socks.Reply
	_, err = client.Dial("tcp", "unknown.example:80")
	if errors.As(err, &reply) {
		fmt.Println(reply, byte(reply))
	}
	// Output:
	// true true false
	// host unreachable 4
}

func ExampleTrace() {
	gateway := startGateway(new(testgw.Gateway))
	defer gateway.Close()

	client := &socks.Client{Addr: gateway.Addr().String(), Handshake: socks.HandshakeStepwise, Trace: &socks.Trace{
		MethodChosen: func(method byte) { fmt.Println("method", method) },
		RequestSent:  func(command string, dst *socks.Addr) { fmt.Println(command, dst) },
		Replied: func(command string, dst, bound *socks.Addr, err error) {
			fmt.Println("reply:", bound, err)
		},
	}}
	if _, err := client.Resolve(context.Background(), "intranet.example"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// method 0
	// RESOLVE intranet.example:0
	// reply: 127.0.0.1:0 <nil>
}

// Some gateways read one message at a time and need each message in its own write. HandshakeAuto finds that out;
// HandshakeStepwise saves the attempt.
func ExampleHandshake() {
	gateway := startGateway(&testgw.Gateway{Quirks: testgw.Quirks{OneRecv: true}})
	defer gateway.Close()

	client := &socks.Client{Addr: gateway.Addr().String(), Handshake: socks.HandshakeStepwise}
	addr, err := client.Resolve(context.Background(), "intranet.example")
	fmt.Println(addr, err)
	// Output: 127.0.0.1 <nil>
}
