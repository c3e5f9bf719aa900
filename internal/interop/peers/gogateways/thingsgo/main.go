// Thingsgo runs a gateway with github.com/things-go/go-socks5.
package main

import (
	"flag"
	"log"

	"github.com/things-go/go-socks5"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:1080", "host:port")
	user := flag.String("user", "", "who may use it; empty: everybody")
	password := flag.String("password", "", "of the user")
	flag.Parse()

	var options []socks5.Option
	if *user != "" {
		options = append(options, socks5.WithCredential(socks5.StaticCredentials{*user: *password}))
	}
	log.Fatal(socks5.NewServer(options...).ListenAndServe("tcp", *listen))
}
