package peers

import (
	"debug/buildinfo"
	"os/exec"
	"strings"
	"testing"
)

// DebianVersion is the version of an installed Debian package.
func DebianVersion(t testing.TB, debian string) string {
	t.Helper()
	out, err := exec.Command(need(t, "dpkg-query", "dpkg"), "-W", "-f", "${Version}", debian).Output()
	if err != nil {
		lacks(t, "the Debian package "+debian)
	}
	return strings.TrimSpace(string(out))
}

// moduleVersion is the version of a module that a Go program was built with.
func moduleVersion(t testing.TB, program, module string) string {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	t.Fatalf("%s is not built with %s", program, module)
	return ""
}
