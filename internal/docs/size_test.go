package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	dialsByGateway = `package main

import "github.com/sockslib/sockslib/dialer"

func main() {
	d, err := dialer.FromURL("socks5://gateway.example:1080")
	if err != nil {
		panic(err)
	}
	_, _ = d.Dial("tcp", "www.example.com:443")
}
`
	dialsByTLS = `package main

import "crypto/tls"

func main() { _, _ = tls.Dial("tcp", "www.example.com:443", nil) }
`
)

// linked are the packages of other modules that a program links if it imports dialer alone. README.md names the modules,
// and says that no DNS library is among them.
var linked = []string{
	"golang.org/x/net/bpf",
	"golang.org/x/net/http/httpproxy",
	"golang.org/x/net/idna",
	"golang.org/x/net/internal/iana",
	"golang.org/x/net/internal/socket",
	"golang.org/x/net/internal/socks",
	"golang.org/x/net/ipv4",
	"golang.org/x/net/proxy",
	"golang.org/x/sys/unix",
	"golang.org/x/text/secure/bidirule",
	"golang.org/x/text/transform",
	"golang.org/x/text/unicode/bidi",
	"golang.org/x/text/unicode/norm",
}

// sizes is README.md's sentence about the size of a program that imports dialer alone.
var sizes = regexp.MustCompile(`imports .dialer. alone has (\d+) packages and ([\d.]+) MB; one that\s+dials with .crypto/tls. has (\d+) and ([\d.]+) MB \((\w+),\s+(\w+),\s+Go ([\d.]+)\)`)

// Such a program links no other packages than README.md says. Its size and its number of packages are compared only on a
// system like the one where README.md's were measured. Sizes may differ by 3 %, and numbers by 3, because package net
// depends on whether there is a C compiler.
func TestProgramWithDialerAloneHasTheSizeOfReadme(t *testing.T) {
	stated := sizes.FindStringSubmatch(readme(t))
	require.NotNil(t, stated)
	ours, size := build(t, dialsByGateway)
	for _, path := range ours {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && first != "example.com" && !strings.HasPrefix(path, "github.com/sockslib/") {
			require.Contains(t, append(linked, elsewhereLinked...), path)
		}
	}
	if !strings.EqualFold(stated[5], runtime.GOOS) || stated[6] != runtime.GOARCH || !strings.HasPrefix(runtime.Version()+".", "go"+stated[7]+".") {
		t.Logf("measured with %s for %s/%s: README.md's sizes are not compared", runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return
	}
	std, stdSize := build(t, dialsByTLS)
	requireSize(t, stated[1], stated[2], len(ours), size)
	requireSize(t, stated[3], stated[4], len(std), stdSize)
}

// elsewhereLinked are packages that programs link on other systems than Linux.
var elsewhereLinked = []string{"golang.org/x/sys/windows"}

// build builds a program as README.md's command does, and returns its packages, itself included, and its size in bytes.
func build(t *testing.T, program string) (packages []string, size int64) {
	dir := module(t, program)
	run := func(args ...string) string {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		require.NoError(t, err, args)
		return string(out)
	}
	file := filepath.Join(dir, "program")
	run("build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", file, ".")
	info, err := os.Stat(file)
	require.NoError(t, err)
	return strings.Fields(run("list", "-mod=mod", "-deps", ".")), info.Size()
}

func requireSize(t *testing.T, packages, megabytes string, gotPackages int, gotBytes int64) {
	t.Helper()
	number, err := strconv.Atoi(packages)
	require.NoError(t, err)
	require.InDelta(t, number, gotPackages, 3)
	size, err := strconv.ParseFloat(megabytes, 64)
	require.NoError(t, err)
	require.InEpsilon(t, size, float64(gotBytes)/1e6, 0.03)
}
