package dialer

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// FromURL returns a Dialer with a new table for the gateway of a URL, as [socks.ParseURL] takes it.
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

// FromEnvironment returns a Dialer for the gateway of ALL_PROXY, or all_proxy. What NO_PROXY, or no_proxy,
// names is dialed directly by the rules of golang.org/x/net/http/httpproxy; so are localhost and loopback
// addresses. The scheme socks, which desktops set, is socks5. ALL_PROXY unset or not a gateway's URL is an error.
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
	rules := httpproxy.Config{HTTPSProxy: "http://gateway.invalid", NoProxy: firstEnv("NO_PROXY", "no_proxy")}
	proxy := rules.ProxyFunc() // that there is one for an address, not which, is what counts
	d.Direct = func(_, address string) bool {
		u, err := proxy(&url.URL{Scheme: "https", Host: address})
		return err == nil && u == nil
	}
	return d, nil
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}
