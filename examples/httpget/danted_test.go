package main

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/peers"
)

// httpget works through danted, by a name that only danted knows, without and with credentials.
func TestDantedIsUsedByName(t *testing.T) {
	httpget := program(t)
	onEach(t, func(t *testing.T, destination netip.Addr) {
		port := serve(t, destination)
		for what, d := range map[string]peers.Danted{"open": {}, "with a user": {User: user, Password: password}} {
			t.Run(what, func(t *testing.T) {
				d.Hosts = map[string][]netip.Addr{name: {destination}}
				danted := d.Start(t)
				gateway := "socks5://" + danted.Addr
				if d.User != "" {
					gateway = withUser(danted.Addr, password)
				}
				get := func(args ...string) result {
					return execute(t, httpget, nil, append([]string{"-gateway", gateway}, args...)...)
				}
				for _, family := range []string{"-4", "-6"} {
					r := get(family, asksFor(port, "/"))
					require.Equal(t, result{exitOK, "this is " + name + ":" + port, ""}, r)
				}
				require.Equal(t, exitStatus, get("-f", asksFor(port, "/404")).code)
				require.Equal(t, exitDestination, get(asksFor(closedPort, "/")).code)
				require.Equal(t, exitName, get("http://unknown.test/").code)
				require.Equal(t, exitTimeout, get("-timeout", "500ms", asksFor(port, "/silent")).code)

				if d.User != "" {
					for _, gateway := range []string{withUser(danted.Addr, "not"+password), "socks5://" + danted.Addr} {
						r := execute(t, httpget, nil, "-gateway", gateway, asksFor(port, "/"))
						require.Equal(t, exitCredentials, r.code, r.stderr)
					}
				}
				danted.Stop()
				require.Equal(t, exitGateway, get(asksFor(port, "/")).code)
			})
		}
	})
}
