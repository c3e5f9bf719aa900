package status

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// allowed reports whether a request was meant for this page. A page on loopback is in reach of every site
// that the browser visits: one whose name is made to resolve to 127.0.0.1, which is DNS rebinding, would
// read it as its own. Its name is in Host, so only the names that are known may be there; and where there
// is an Origin, it must be that of the page itself.
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

// ownEvents reports whether a request for the events comes from the page, or from a program that is no
// browser: a site that includes the stream, as an image say, sends no Origin but says where it is.
func ownEvents(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return false
}
