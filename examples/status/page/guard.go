package page

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
func (p *Page) allowed(r *http.Request) bool {
	if !p.known(r.Host) {
		return false
	}
	origins := r.Header.Values("Origin")
	return !slices.ContainsFunc(origins, func(origin string) bool {
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	})
}

// known reports whether a Host, which may have a port, is loopback or one of Hosts.
func (p *Page) known(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	return host == "localhost" || slices.Contains(p.Hosts, host)
}
