package page_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/examples/status/page"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// A program that has a page about itself.
func ExamplePage() {
	table, err := mapping.New(mapping.Config{})
	if err != nil {
		log.Fatal(err)
	}
	watch := &page.Watch{Group: &socks.Group{Clients: []*socks.Client{{Addr: "127.0.0.1:1080"}}}}
	d := &dialer.Dialer{Gateway: watch, Table: table}
	_ = d.DialContext // what the program dials with

	status := httptest.NewServer(&page.Page{Watch: watch, Table: table})
	defer status.Close()
	resp, err := http.Get(status.URL)
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	// Output: 200 OK text/html; charset=utf-8
}
