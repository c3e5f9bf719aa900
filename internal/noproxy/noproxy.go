// Package noproxy applies the rules of NO_PROXY.
package noproxy

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Direct returns a func that reports whether an address, "host:port", is dialed without the gateway according to list, a
// value of NO_PROXY. It applies the rules of golang.org/x/net/http/httpproxy, except that an entry may be an IPv6 address in
// brackets, or a name with a trailing dot. Loopback addresses, localhost and the names below it are direct with any list.
// The func ignores the network. It is safe for concurrent use.
func Direct(list string) func(network, address string) bool {
	entries := strings.Split(list, ",")
	for i, entry := range entries {
		entries[i] = canonicalEntry(strings.TrimSpace(entry))
	}
	rules := httpproxy.Config{HTTPSProxy: "http://gateway.invalid", NoProxy: strings.Join(entries, ",")}
	proxy := rules.ProxyFunc() // only called to learn whether it returns a proxy
	return func(_, address string) bool {
		if host, _, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			return true // RFC 6761, section 6.3
		}
		u, err := proxy(&url.URL{Scheme: "https", Host: address})
		return err == nil && u == nil
	}
}

// canonicalEntry returns an entry in the form that httpproxy matches: an address without brackets, unless there is a port,
// and a name without a trailing dot. Other entries in brackets, and "*.", stay as they are: they must not become "*".
func canonicalEntry(entry string) string {
	if host, port, err := net.SplitHostPort(entry); err == nil {
		return net.JoinHostPort(strings.TrimSuffix(host, "."), port)
	}
	if len(entry) > 2 && entry[0] == '[' && entry[len(entry)-1] == ']' {
		if ip, err := netip.ParseAddr(entry[1 : len(entry)-1]); err == nil {
			return ip.String()
		}
	}
	if name := strings.TrimSuffix(entry, "."); name != "*" {
		return name
	}
	return entry
}
