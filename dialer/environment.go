package dialer

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sockslib/sockslib/internal/noproxy"
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
	d.Direct = noproxy.Direct(firstEnv("NO_PROXY", "no_proxy"))
	return d, nil
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
