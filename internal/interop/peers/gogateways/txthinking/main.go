// Txthinking runs a gateway with github.com/txthinking/socks5.
package main

import (
	"flag"
	"log"
	"net"

	"github.com/txthinking/socks5"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:1080", "host:port")
	user := flag.String("user", "", "who may use it; empty: everybody")
	password := flag.String("password", "", "of the user")
	flag.Parse()

	host, _, err := net.SplitHostPort(*listen)
	if err != nil {
		log.Fatal(err)
	}
	const seconds = 60
	server, err := socks5.NewClassicServer(*listen, host, *user, *password, seconds, seconds)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ListenAndServe(nil))
}
