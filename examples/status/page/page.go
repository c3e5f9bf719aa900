// Package page is a live page about a program that uses this library: its mapping table, its open
// connections, its gateways and its dial times. A program shows it with
//
//	watch := &page.Watch{Group: &socks.Group{Clients: []*socks.Client{client}}}
//	d := &dialer.Dialer{Gateway: watch, Table: table} // dials as ever
//	http.ListenAndServe("127.0.0.1:3089", &page.Page{Watch: watch, Table: table})
package page

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/sockslib/sockslib/mapping"
)

// Page serves the page. It shows names and addresses, and never a credential, but has no login of its
// own: listen at a loopback address. Do not change it after first use.
type Page struct {
	Watch *Watch         // required
	Table *mapping.Table // required
	Hosts []string       // names and addresses by which the page may be reached beside loopback ones, in lower case; nil: none
	Every time.Duration  // between two updates; zero: 1 second
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// ServeHTTP answers / with the page and /events with what it shows, as server-sent events, for as long as
// the request's context lasts.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !p.allowed(r):
		http.Error(w, "this page is not reached by that name", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page is only read", http.StatusMethodNotAllowed)
	case r.URL.Path == "/":
		servePage(w)
	case r.URL.Path == "/events":
		p.serveEvents(w, r)
	default:
		http.NotFound(w, r)
	}
}

// servePage sends the page, which is empty: all that it shows comes by the events. Nothing but its own
// style and script, which have the nonce, is ever applied or run.
func servePage(w http.ResponseWriter) {
	nonce := rand.Text()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%[1]s'; "+
		"img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce))
	_ = pageTemplate.Execute(w, struct {
		Nonce  string
		Style  template.CSS
		Script template.JS
	}{nonce, template.CSS(pageCSS), template.JS(pageJS)}) // a browser that has left cannot be told
}
