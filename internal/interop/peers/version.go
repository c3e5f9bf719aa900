package peers

import (
	"debug/buildinfo"
	"testing"
)

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
