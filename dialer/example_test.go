package dialer_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// exampleGateway starts a gateway. Only the gateway knows www.test.
func exampleGateway() *testgw.Gateway {
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{"www.test": {netip.MustParseAddr("127.0.0.1")}}}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	return g
}

// exampleServer starts a web server, and returns its port.
func exampleServer() (s *httptest.Server, port string) {
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }))
	return s, s.URL[strings.LastIndex(s.URL, ":")+1:]
}

// An application that resolves before it connects gets a fake address, and the gateway gets the name.
func ExampleDialer() {
	gateway := exampleGateway()
	defer gateway.Close()
	server, port := exampleServer()
	defer server.Close()

	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	d := &dialer.Dialer{Gateway: &socks.Client{Addr: gateway.Addr().String()}, Table: table}

	fake, err := table.Assign("ip6", "www.test") // as a resolver.Resolver does
	if err != nil {
		log.Fatal(err)
	}
	conn, err := d.Dial("tcp6", net.JoinHostPort(fake.String(), port))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println("asked the gateway for", gateway.Requests()[0].Name)
	fmt.Println("connected to an IPv6 address:", conn.RemoteAddr().(*net.TCPAddr).IP.To4() == nil)
	// Output:
	// asked the gateway for www.test
	// connected to an IPv6 address: true
}

func ExampleDialer_transport() {
	gateway := exampleGateway()
	defer gateway.Close()
	server, port := exampleServer()
	defer server.Close()

	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	transport := &http.Transport{DialContext: d.DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	answer, err := client.Get("http://www.test:" + port)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
	// Output: hello
}

// Direct selects destinations in the local network, which are dialed without the gateway. It is called with the name
// even if a fake address is dialed.
func ExampleDialer_direct() {
	server, port := exampleServer()
	defer server.Close()

	d, err := dialer.FromURL("socks5://gateway.test")
	if err != nil {
		log.Fatal(err)
	}
	d.Direct = func(network, address string) bool {
		host, _, err := net.SplitHostPort(address)
		return err == nil && host == "localhost"
	}
	fake, err := d.Table.Assign("ip4", "LOCALHOST")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := d.Dial("tcp4", net.JoinHostPort(fake.String(), port))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.RemoteAddr().(*net.TCPAddr).IP)
	// Output: 127.0.0.1
}

// A *socks.Client or another Dialer can be the Gateway. A type that wraps one can be a Gateway too: this one prints
// each request.
func ExampleGateway() {
	gateway := exampleGateway()
	defer gateway.Close()
	server, port := exampleServer()
	defer server.Close()

	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	d.Gateway = told{d.Gateway}
	conn, err := d.Dial("tcp", "www.test:"+port)
	if err != nil {
		log.Fatal(err)
	}
	conn.Close()
	// Output: CONNECT www.test
}

type told struct{ dialer.Gateway }

func (g told) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	fmt.Println("CONNECT", host)
	return g.Gateway.DialContext(ctx, network, address)
}

func ExampleFromURL() {
	d, err := dialer.FromURL("socks5://user:secret@gateway.test:1080")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Gateway.(*socks.Client).Addr)

	_, err = dialer.FromURL("http://user:secret@gateway.test:3128")
	fmt.Println(err)
	// Output:
	// gateway.test:1080
	// gateway URL: unknown scheme: want socks5, socks5h, socks5s or socks5+unix
}

func ExampleFromEnvironment() {
	os.Setenv("ALL_PROXY", "socks5://gateway.test")
	os.Setenv("NO_PROXY", ".intern.test,192.0.2.0/24")
	defer os.Unsetenv("ALL_PROXY")
	defer os.Unsetenv("NO_PROXY")

	d, err := dialer.FromEnvironment()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Gateway.(*socks.Client).Addr)
	fmt.Println(d.Direct("tcp", "db.intern.test:5432"))
	fmt.Println(d.Direct("tcp", "www.test:443"))
	// Output:
	// gateway.test:1080
	// true
	// false
}

// Code that resolves with the Dialer's table but dials without the Dialer fails at once, with the name in the error.
func ExampleDialer_Control() {
	d, err := dialer.FromURL("socks5://gateway.test")
	if err != nil {
		log.Fatal(err)
	}
	fake, err := d.Table.Assign("ip4", "www.test")
	if err != nil {
		log.Fatal(err)
	}
	own := &net.Dialer{Control: d.Control}
	_, err = own.Dial("tcp", net.JoinHostPort(fake.String(), "80"))
	fmt.Println(strings.Contains(err.Error(), "fake address of www.test: dial it through the gateway"))
	// Output: true
}

func ExampleConn() {
	gateway := exampleGateway()
	defer gateway.Close()
	server, port := exampleServer()
	defer server.Close()
	d, err := dialer.FromURL(gateway.URL())
	if err != nil {
		log.Fatal(err)
	}
	c, err := d.Dial("tcp", "www.test:"+port)
	if err != nil {
		log.Fatal(err)
	}
	conn := c.(*dialer.Conn)
	defer conn.Close()

	remote := conn.RemoteAddr().(*net.TCPAddr)
	name, _ := d.Table.Name(remote.AddrPort().Addr())
	fmt.Println(name, conn.Name())

	fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
	conn.CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Fields(string(answer))[1])
	// Output:
	// www.test www.test
	// 200
}
