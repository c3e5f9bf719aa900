package lab

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// column is a way to run a program.
type column struct {
	name string
	run  run
}

func names(columns []column) (list []string) {
	for _, c := range columns {
		list = append(list, c.name)
	}
	return list
}

// wrappers returns the columns of socksify and of other programs for the same purpose.
func wrappers(b *testing.B, w *world) []column {
	chains := filepath.Join(w.dir, "proxychains.conf")
	require.NoError(b, os.WriteFile(chains, []byte("strict_chain\nquiet_mode\nproxy_dns\n[ProxyList]\nsocks5 "+gatewayIP+" 1080\n"), 0o644))
	dante := filepath.Join(w.dir, "socks.conf")
	require.NoError(b, os.WriteFile(dante, []byte("resolveprotocol: fake\nroute {\n from: 0.0.0.0/0 to: 0.0.0.0/0 via: "+gatewayIP+
		" port = 1080\n protocol: tcp udp\n proxyprotocol: socks_v5\n method: none\n}\n"), 0o644))
	other := func(env []string, wrap ...string) run { return run{bare: true, env: env, wrap: wrap} }
	return []column{
		{"socksify, namespace", run{way: "namespace"}},
		{"socksify, seccomp", run{way: "seccomp"}},
		{"proxychains4", other(nil, need(b, "proxychains4", "proxychains4"), "-f", chains)},
		{"torsocks", other(nil, need(b, "torsocks", "torsocks"), "-a", gatewayIP, "-P", "1080")},
		{"dante's socksify", other([]string{"SOCKS_CONF=" + dante, "SOCKS_AUTOADD_LANROUTES=no"}, need(b, "/usr/bin/socksify", "dante-client"))},
	}
}

var only = flag.String("client", "", "part of the names of the clients that BenchmarkPeers runs")

// BenchmarkPeers runs every client under every wrapper, and prints the table for README.md.
func BenchmarkPeers(b *testing.B) {
	columns := wrappers(b, newWorld(b))
	for b.Loop() {
		b.Logf("| program | %s |", strings.Join(names(columns), " | "))
		past := make([]int, len(columns))
		for _, c := range clients {
			if !strings.Contains(c.name, *only) {
				continue
			}
			line := []string{c.name}
			for i := range columns {
				outcome, packets := tryPeer(b, c, i)
				past[i] += packets
				line = append(line, outcome)
			}
			b.Logf("| %s |", strings.Join(line, " | "))
		}
		b.Logf("| packets that bypass the gateway | %s |", strings.Trim(strings.ReplaceAll(fmt.Sprint(past), " ", " | "), "[]"))
	}
}

// tryPeer reports whether a client worked under a wrapper, by name, and returns the number of packets that
// bypassed the gateway.
func tryPeer(b *testing.B, c client, wrapper int) (outcome string, packets int) {
	b.Run(c.name, func(b *testing.B) {
		w := newWorld(b)
		w.capture = newCapture(b, "gw0")
		argv := c.prepare(b, w)
		r := wrappers(b, w)[wrapper].run
		r.stdin = "through netcat\n"
		res := r.do(w, argv...)
		byName := true
		for _, q := range w.gateway.Requests() {
			byName = byName && (q.Command != 1 || q.ATYP == 3)
		}
		switch {
		case res.code != 0 || !strings.Contains(res.stdout, c.prints):
			outcome = "no"
		case !byName:
			outcome = "by address"
		case len(w.gateway.Requests()) == 0 && c.name != "dig":
			outcome = "past the gateway"
		default:
			outcome = "yes"
		}
		leaks, _, _ := w.capture.settled()
		packets = len(leaks)
	})
	return outcome, packets
}
