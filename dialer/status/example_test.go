package status_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/dialer/status"
)

// A program serves a page about itself.
func Example() {
	d, err := dialer.FromURL("socks5://127.0.0.1:1080")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/status/", status.New(d)) // before d is used
	_ = d.DialContext                           // what the program dials with

	server := httptest.NewServer(mux)
	defer server.Close()
	resp, err := http.Get(server.URL + "/debug/status/")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	// Output: 200 OK text/html; charset=utf-8
}

// The page is also reached by its machine's name.
func ExampleHandler() {
	d, err := dialer.FromURL("socks5://127.0.0.1:1080")
	if err != nil {
		log.Fatal(err)
	}
	page := status.New(d)
	page.Hosts = []string{"build-7.example.com"}

	for _, host := range []string{"build-7.example.com:3089", "rebound.example"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		fmt.Println(host, w.Code)
	}
	// Output:
	// build-7.example.com:3089 200
	// rebound.example 403
}
