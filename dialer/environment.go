package dialer

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// FromURL returns a [Dialer] for the gateway with a URL that [socks.ParseURL] accepts. Its table is new, with the
// defaults of [mapping.Config]. FromURL does not connect; it returns ParseURL's errors.
func FromURL(gateway string) (*Dialer, error) {
	c, err := socks.ParseURL(gateway)
	if err != nil {
		return nil, err
	}
	t, err := mapping.New(mapping.Config{})
	if err != nil {
		return nil, err
	}
	return &Dialer{Gateway: c, Table: t}, nil
}

// FromEnvironment returns a [Dialer] for the gateway in ALL_PROXY, or all_proxy. Destinations in NO_PROXY, or
// no_proxy, are dialed directly by the rules of golang.org/x/net/http/httpproxy, except that an IPv6 address may be
// in brackets and a name may end in a dot. Loopback addresses, localhost and the names below it are dialed directly
// too. The scheme socks, which desktops set, means socks5. It is an error if ALL_PROXY is unset or is not the URL of
// a gateway.
func FromEnvironment() (*Dialer, error) {
	gateway := firstEnv("ALL_PROXY", "all_proxy")
	if gateway == "" {
		return nil, errors.New("ALL_PROXY is not set")
	}
	const desktops = "socks://"
	if n := len(desktops); len(gateway) >= n && strings.EqualFold(gateway[:n], desktops) {
		gateway = "socks5://" + gateway[n:]
	}
	d, err := FromURL(gateway)
	if err != nil {
		return nil, fmt.Errorf("ALL_PROXY: %w", err)
	}
	d.Direct = noProxy(firstEnv("NO_PROXY", "no_proxy"))
	return d, nil
}

// noProxy returns the Direct func for the value of NO_PROXY.
func noProxy(list string) func(network, address string) bool {
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

// canonicalEntry returns an entry of NO_PROXY in the form that httpproxy matches: without brackets, unless there is
// a port, and without a trailing dot.
func canonicalEntry(entry string) string {
	if host, port, err := net.SplitHostPort(entry); err == nil {
		return net.JoinHostPort(strings.TrimSuffix(host, "."), port)
	}
	entry = strings.TrimSuffix(entry, ".")
	if strings.HasPrefix(entry, "[") && strings.HasSuffix(entry, "]") {
		return entry[1 : len(entry)-1]
	}
	return entry
}

// firstEnv returns the first of the environment variables that is not empty.
func firstEnv(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}
