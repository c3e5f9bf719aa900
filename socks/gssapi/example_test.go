package gssapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

// kerberized starts a gateway that accepts only Kerberos, and makes the cache that kinit would make.
func kerberized() (g *testgw.Gateway, cache string, stop func()) {
	realm, err := acceptor.NewRealm(18)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gssapi")
	if err != nil {
		log.Fatal(err)
	}
	cache = filepath.Join(dir, "krb5cc")
	if err := realm.WriteCache(cache, time.Now().Add(time.Hour), 0); err != nil {
		log.Fatal(err)
	}
	a := &acceptor.Acceptor{Realm: realm}
	g = &testgw.Gateway{Methods: map[byte]func(context.Context, net.Conn) (net.Conn, string, error){acceptor.Method: a.Negotiate}}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	return g, cache, func() { g.Close(); os.RemoveAll(dir) }
}

// hello starts a server that greets each client.
func hello() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "hello")
			c.Close()
		}
	}()
	return l
}

func Example() {
	gateway, cache, stop := kerberized()
	defer stop()
	server := hello()
	defer server.Close()

	client := &socks.Client{
		Addr: gateway.Addr().String(),
		Auth: []socks.Auth{&gssapi.Auth{
			Service:     "rcmd/gw.test",      // the gateway's principal, whatever its address
			Credentials: gssapi.Cache(cache), // by default: $KRB5CCNAME, or the cache of kinit in /tmp
		}},
	}
	conn, err := client.Dial("tcp", server.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	b, err := io.ReadAll(conn)
	fmt.Println(string(b), err)
	fmt.Println("as", gateway.Requests()[0].User)
	// Output:
	// hello <nil>
	// as alice
}

func ExampleAuth_credentials() {
	gateway, _, stop := kerberized()
	defer stop()
	client := &socks.Client{
		Addr: gateway.Addr().String(),
		Auth: []socks.Auth{&gssapi.Auth{Service: "rcmd/gw.test", Credentials: gssapi.Cache("/nonexistent/krb5cc")}},
	}
	_, err := client.Dial("tcp", "www.example.com:80")
	if errors.Is(err, gssapi.ErrCredentials) {
		fmt.Println("kinit, please")
	}
	// Output: kinit, please
}

func ExampleKeytab() {
	auth := &gssapi.Auth{
		Service:     "socks/gw.example.com",
		Credentials: gssapi.Keytab("/etc/crawler.keytab", "crawler@EXAMPLE.COM"),
		Protection:  gssapi.Integrity,
	}
	fmt.Println(auth.Protection)
	// Output: integrity
}

func ExamplePassword() {
	secret := gssapi.Password("alice@EXAMPLE.COM", os.Getenv("KERBEROS_PASSWORD"))
	auth := &gssapi.Auth{Service: "rcmd/gw.example.com", Credentials: secret}
	fmt.Println(auth.Method(), auth.Protection)
	// Output: 1 confidentiality
}
