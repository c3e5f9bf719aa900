//go:build linux

package main

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/sockslib/sockslib/cmd/socksify/internal/execute"
	"github.com/sockslib/sockslib/cmd/socksify/internal/namespace"
	"github.com/sockslib/sockslib/cmd/socksify/internal/seccomp"
)

// Variables in the program's environment: a mark that it runs under socksify, and its gateways without credentials.
const (
	markVariable    = "SOCKSIFY"
	gatewayVariable = "SOCKSIFY_GATEWAY"
)

// programEnviron returns the program's environment. It leaves out variables that would make the program dial a proxy
// itself that it cannot reach, and adds the variables above.
func programEnviron(environ []string, gateways string) []string {
	var env []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch strings.ToLower(name) {
		case "all_proxy":
			continue
		case "http_proxy", "https_proxy", "ftp_proxy":
			if loopback(value) {
				continue
			}
		case strings.ToLower(markVariable), strings.ToLower(gatewayVariable):
			continue
		}
		env = append(env, entry)
	}
	return append(env, markVariable+"=1", gatewayVariable+"="+gateways)
}

// loopback reports whether the value of a proxy variable names this machine.
func loopback(proxy string) bool {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return true // a program may still parse it as a loopback address
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// publicNames returns the URLs of gateways, without credentials, separated by spaces.
func publicNames(via, gateways []string) string {
	var names []string
	for _, g := range append(append([]string{}, via...), gateways...) {
		u, err := url.Parse(g)
		if err != nil {
			continue // parse has checked it
		}
		u.User = nil
		names = append(names, u.String())
	}
	return strings.Join(names, " ")
}

// nested reports whether this process already runs under socksify. The variable alone does not prove it, because the
// environment may be a copy.
func nested() bool {
	return os.Getenv(markVariable) != "" && (namespace.Inside() || seccomp.Inside())
}

// nest executes the program in the outer run. It fails if the options need another gateway or set-up than the outer
// run's.
func nest(o *options, path string) int {
	if len(o.Gateways) > 0 && publicNames(o.Via, o.Gateways) != os.Getenv(gatewayVariable) || len(o.Gateways) == 0 && len(o.Via) > 0 {
		return fail(errors.New("already behind " + os.Getenv(gatewayVariable) + "; for a chain of gateways, use -via in the outer run"))
	}
	if o.direct || len(o.Host) > 0 || len(o.Publish) > 0 {
		return fail(errors.New("-direct, -host and -publish are for the outer run"))
	}
	code, err := execute.Exec(path, o.program)
	fail(err)
	return code
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
