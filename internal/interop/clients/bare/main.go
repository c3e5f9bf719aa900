// Bare prints the data that a server sends. Without a gateway it uses package net; with a gateway, this library.
package main

import (
	"flag"
	"io"
	"log"
	"net"
	"os"

	"github.com/sockslib/sockslib/dialer"
)

func main() {
	gateway := flag.String("gateway", "", "URL of a gateway; empty: none")
	flag.Parse()

	dial := net.Dial
	if *gateway != "" {
		d, err := dialer.FromURL(*gateway)
		if err != nil {
			log.Fatal(err)
		}
		dial = d.Dial
	}
	conn, err := dial("tcp", flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.Copy(os.Stdout, conn); err != nil {
		log.Fatal(err)
	}
}
