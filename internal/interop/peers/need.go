package peers

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/internal/need"
)

// needs skips t if one of the needs is missing, and records that t was skipped.
func needs(t testing.TB, needs ...error) {
	t.Helper()
	defer func() {
		if !t.Skipped() {
			return
		}
		if err := table.LeftOut(); err != nil {
			t.Error(err)
		}
	}()
	need.All(t, needs...)
}

// Program returns the path of a program that a Debian package brings.
func Program(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := need.Program(program, debian)
	needs(t, err)
	return path
}

// DebianVersion returns the version of an installed Debian package.
func DebianVersion(t testing.TB, debian string) string {
	t.Helper()
	version, err := need.Version(debian)
	needs(t, err)
	return version
}

// needMounts skips t if no files and users can be made that only one peer sees.
func needMounts(t testing.TB) {
	t.Helper()
	needs(t, need.Root(), need.Namespaces())
}
