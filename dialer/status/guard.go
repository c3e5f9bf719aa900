package status

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// allowed reports whether a request was meant for this page. Any site that the browser visits can reach a page
// on loopback: with DNS rebinding its own name resolves to 127.0.0.1, and the browser lets it read the answer. Host
// then has the site's name, so only known names are accepted there; an Origin, if there is one, must be the
// page's own.
func (h *Handler) allowed(r *http.Request) bool {
	if !h.known(r.Host) {
		return false
	}
	origins := r.Header.Values("Origin")
	return !slices.ContainsFunc(origins, func(origin string) bool {
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	})
}

// known reports whether a Host, which may have a port, is loopback or one of Hosts.
func (h *Handler) known(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	return host == "localhost" || slices.Contains(h.Hosts, host)
}

// ownEvents reports whether a request for the events comes from the page, or from a program that is not a
// browser. A request from another site's page, for example for an image, may have no Origin, but its
// Sec-Fetch-Site is cross-site or same-site.
func ownEvents(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return false
}
