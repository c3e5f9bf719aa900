package sockstest_test

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
	"sync/atomic"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// A test checks that a program reaches a web server by name through the gateway.
func ExampleServer() {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer web.Close()
	gateway := sockstest.NewUnstartedServer()
	gateway.Users = map[string]string{"user": "password"}
	gateway.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, web.Listener.Addr().String()) // ignores the address
	}
	gateway.Start()
	defer gateway.Close()

	d, err := dialer.FromURL(gateway.URL)
	if err != nil {
		log.Fatal(err)
	}
	d.Gateway = gateway.Client() // has the credentials
	client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get("http://www.example.com/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	for _, r := range gateway.Requests() {
		fmt.Println(r.User, r.Command, r.Address)
	}
	// Output:
	// hello
	// user CONNECT www.example.com:80
}

// Without a configuration, every name has the loopback addresses.
func ExampleNewServer() {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	gateway := sockstest.NewServer()
	defer gateway.Close()

	_, port, _ := net.SplitHostPort(web.Listener.Addr().String())
	c, err := gateway.Client().Dial("tcp", net.JoinHostPort("www.example.com", port))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	b := make([]byte, 12)
	io.ReadFull(c, b)
	fmt.Println(string(b))
	// Output: HTTP/1.0 404
}

// The gateway accepts the first connection and never answers it.
func ExampleFault() {
	var silent atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	gateway := &sockstest.Server{
		Hosts: map[string][]netip.Addr{},
		Misbehave: func(conn int) sockstest.Fault {
			if conn > 0 {
				return sockstest.Fault{}
			}
			return sockstest.Fault{Silent: sockstest.StageReply, Hold: func(context.Context, sockstest.Stage) {
				silent.Store(true)
				cancel() // the program cancels the dial
			}}
		},
	}
	gateway.Start()
	defer gateway.Close()

	_, err := gateway.Client().DialContext(ctx, "tcp", "www.example.com:80")
	fmt.Println(silent.Load(), errors.Is(err, context.Canceled))
	_, err = gateway.Client().Dial("tcp", "www.example.com:80")
	fmt.Println(errors.Is(err, socks.ErrHostUnreachable))
	// Output:
	// true true
	// true
}

// Refuse refuses requests by a rule.
func ExampleRequest() {
	gateway := &sockstest.Server{Refuse: func(r sockstest.Request) socks.Reply {
		if r.Command != sockstest.Connect {
			return socks.ErrCommandNotSupported
		}
		return socks.ErrNotAllowed
	}}
	gateway.Start()
	defer gateway.Close()

	_, err := gateway.Client().Dial("tcp", "www.example.com:25")
	fmt.Println(errors.Is(err, socks.ErrNotAllowed))
	_, err = gateway.Client().ListenPacket(context.Background(), "udp", "")
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// true
	// true
}

func ExampleOutcome() {
	gateway := &sockstest.Server{OnReply: func(r sockstest.Request, o sockstest.Outcome) {
		fmt.Println(r.Command, r.Address, o.Reply)
	}}
	gateway.Start()
	defer gateway.Close()

	gateway.Client().Dial("tcp", "www.example.com:1")
	// Output: CONNECT www.example.com:1 connection refused
}

func ExampleDatagram() {
	gateway := sockstest.NewServer()
	defer gateway.Close()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	to := fmt.Sprintf("ntp.example.com:%d", server.LocalAddr().(*net.UDPAddr).Port)
	c, err := gateway.Client().Dial("udp", to)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "what time is it?")
	b := make([]byte, 100)
	n, _, _ := server.ReadFrom(b)
	fmt.Println(string(b[:n]), gateway.Datagrams()[0].Address == to)
	// Output: what time is it? true
}

func ExampleServer_StartTLS() {
	gateway := sockstest.NewUnstartedServer()
	gateway.StartTLS()
	defer gateway.Close()

	_, err := gateway.Client().Dial("tcp", "www.example.com:1") // the client trusts the certificate
	fmt.Println(errors.Is(err, socks.ErrConnectionRefused))
	client, err := socks.ParseURL(gateway.URL)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Dial("tcp", "www.example.com:1")
	fmt.Println(errors.Is(err, socks.ErrGateway))
	// Output:
	// true
	// true
}

// The gateway restarts while its clients are connected.
func ExampleServer_Start() {
	gateway := sockstest.NewServer()
	client, address := gateway.Client(), gateway.Listener.Addr().String()
	gateway.Close()
	_, err := client.Dial("tcp", "www.example.com:1")
	fmt.Println(errors.Is(err, socks.ErrGateway))

	gateway.Listener, err = net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	gateway.Start()
	defer gateway.Close()
	_, err = client.Dial("tcp", "www.example.com:1")
	fmt.Println(errors.Is(err, socks.ErrConnectionRefused))
	// Output:
	// true
	// true
}
