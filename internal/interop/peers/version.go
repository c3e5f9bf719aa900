package peers

import (
	"debug/buildinfo"
	"testing"
)

// moduleVersion returns the version of a module in a Go program.
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
