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

// wrappers are what others use for the same purpose, by name: what runs a program with them.
func wrappers(b *testing.B, w *world) map[string]func(argv []string) run {
	chains := filepath.Join(w.dir, "proxychains.conf")
	require.NoError(b, os.WriteFile(chains, []byte("strict_chain\nquiet_mode\nproxy_dns\n[ProxyList]\nsocks5 "+gatewayIP+" 1080\n"), 0o644))
	dante := filepath.Join(w.dir, "socks.conf")
	require.NoError(b, os.WriteFile(dante, []byte("resolveprotocol: fake\nroute {\n from: 0.0.0.0/0 to: 0.0.0.0/0 via: "+gatewayIP+
		" port = 1080\n protocol: tcp udp\n proxyprotocol: socks_v5\n method: none\n}\n"), 0o644))
	bare := func(env []string, before ...string) func([]string) run {
		return func(argv []string) run { return run{bare: true, env: env, wrap: before} }
	}
	return map[string]func([]string) run{
		"socksify, namespace": func([]string) run { return run{way: "namespace"} },
		"socksify, seccomp":   func([]string) run { return run{way: "seccomp"} },
		"proxychains4":        bare(nil, need(b, "proxychains4", "proxychains4"), "-f", chains),
		"torsocks":            bare(nil, need(b, "torsocks", "torsocks"), "-a", gatewayIP, "-P", "1080"),
		"dante's socksify":    bare([]string{"SOCKS_CONF=" + dante, "SOCKS_AUTOADD_LANROUTES=no"}, need(b, "socksify", "dante-client")),
	}
}

var only = flag.String("client", "", "part of the names of the clients that BenchmarkPeers runs")

var wrapperNames = []string{"socksify, namespace", "socksify, seccomp", "proxychains4", "torsocks", "dante's socksify"}

// BenchmarkPeers runs every client under every wrapper, and prints the table of README.md.
func BenchmarkPeers(b *testing.B) {
	for b.Loop() {
		b.Logf("| program | %s |", strings.Join(wrapperNames, " | "))
		past := map[string]int{}
		for _, c := range clients {
			if !strings.Contains(c.name, *only) {
				continue
			}
			line := []string{c.name}
			for _, name := range wrapperNames {
				outcome, packets := tryPeer(b, c, name)
				past[name] += packets
				line = append(line, outcome)
			}
			b.Logf("| %s |", strings.Join(line, " | "))
		}
		var line []string
		for _, name := range wrapperNames {
			line = append(line, fmt.Sprint(past[name]))
		}
		b.Logf("| packets past the gateway | %s |", strings.Join(line, " | "))
	}
}

// tryPeer returns whether a client worked, by name, and how many packets went past the gateway.
func tryPeer(b *testing.B, c client, name string) (outcome string, packets int) {
	b.Run(c.name+", "+name, func(b *testing.B) {
		w := newWorld(b)
		w.capture = newCapture(b, "gw0")
		argv := c.prepare(b, w)
		r := wrappers(b, w)[name](argv)
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
