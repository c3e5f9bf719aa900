// Package status serves a live page about a running program: the dial times, gateways, open connections and
// mapping table of a dialer.Dialer. A program serves it at a path of its choice, as it does net/http/pprof:
//
//	d, err := dialer.FromURL("socks5://gateway.example:1080")
//	…
//	http.Handle("/debug/status/", status.New(d))
//	go http.ListenAndServe("127.0.0.1:3089", nil)
//
// The page shows every name that the program dials. It has no login, so it answers only requests whose Host
// is a loopback address, localhost, or one of Handler.Hosts.
//
// Call New before the Dialer is used. The path must end in a slash.
package status

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
)

// Handler serves the page of one Dialer. The page shows names and addresses, and never a credential. Make a
// Handler with New, and do not change it after first use; the zero Handler answers with an error. It is safe
// for concurrent use.
type Handler struct {
	Hosts []string      // names and addresses, in lower case, accepted in Host besides loopback ones; nil: none
	Every time.Duration // interval of the updates; zero: 1 second

	watch   *watch
	table   *mapping.Table
	streams atomic.Int64 // open
}

// New returns a Handler for d. It replaces d.Gateway by a wrapper that watches it, so call New before d is used.
// Connections through the wrapper keep the methods that they have without it. The Gateway's counters are shown
// if it is a *socks.Client or a *socks.Group.
func New(d *dialer.Dialer) *Handler {
	h := &Handler{table: d.Table}
	if d.Gateway != nil && d.Table != nil { // without them every dial fails, and says why
		h.watch = &watch{gateway: d.Gateway}
		d.Gateway = h.watch
	}
	return h
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

// ServeHTTP serves the page at a path that ends in a slash, and the page's data at events below it, as
// server-sent events until the request's context ends. At most 16 streams are served at once.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !h.allowed(r):
		http.Error(w, "this page is not served under that name", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page is read-only", http.StatusMethodNotAllowed)
	case h.watch == nil:
		http.Error(w, "there is no Dialer, or it has no Gateway or no Table", http.StatusInternalServerError)
	case strings.HasSuffix(r.URL.Path, "/"):
		servePage(w)
	case path.Base(r.URL.Path) == "events" && !ownEvents(r):
		http.Error(w, "the events are the page's own", http.StatusForbidden)
	case path.Base(r.URL.Path) == "events":
		h.serveEvents(w, r)
	default:
		http.NotFound(w, r)
	}
}

// servePage sends the page without data: the data comes as events. The nonce allows the page's own style and
// script, and no other.
func servePage(w http.ResponseWriter) {
	nonce := rand.Text()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%[1]s'; "+
		"img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce))
	_ = pageTemplate.Execute(w, struct {
		Nonce  string
		Style  template.CSS
		Script template.JS
	}{nonce, template.CSS(pageCSS), template.JS(pageJS)}) // fails only if the browser has gone
}
