// Wzshiming runs a gateway with github.com/wzshiming/socks5.
package main

import (
	"flag"
	"log"

	"github.com/wzshiming/socks5"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:1080", "host:port")
	user := flag.String("user", "", "who may use it; empty: everybody")
	password := flag.String("password", "", "of the user")
	flag.Parse()

	server := socks5.NewServer()
	if *user != "" {
		server.Authentication = socks5.UserAuth(*user, *password)
	}
	log.Fatal(server.ListenAndServe("tcp", *listen))
}
