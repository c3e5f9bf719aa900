package table

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// inPackage changes to a directory with its own document.
func inPackage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "internal", "interop", "some")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	t.Chdir(dir)
}

var seen = []Row{
	{"danted", "1", "CONNECT", "stepwise", "works"},
	{"danted", "1", "CONNECT", "auto", "works"},
	{"danted", "1", "BIND", "auto", "*refused*"},
	{"ant", "2", "CONNECT", "auto", "works"},
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	inPackage(t)
	require.NoError(t, Clients.write(seen[3:]))
	require.NoError(t, Gateways.write(seen))
	b, err := os.ReadFile(document)
	require.NoError(t, err)
	require.Contains(t, string(b), "| danted | 1 | CONNECT | stepwise, auto | works |\n")

	require.NoError(t, Gateways.compare(seen))
	require.NoError(t, Clients.compare(seen[3:]))
	rows, err := Clients.read()
	require.NoError(t, err)
	require.Equal(t, []Row{seen[3].key()}, rows)
}

func TestCompareIgnoresVersionsAndNothingElse(t *testing.T) {
	inPackage(t)
	require.NoError(t, Gateways.write(seen))
	newer := append([]Row(nil), seen...)
	newer[0].Version = "2"
	require.NoError(t, Gateways.compare(newer))
	require.ErrorContains(t, Gateways.compare(seen[1:]), "danted | CONNECT | stepwise | works")
}

// failures is a testing.TB that records failures and does not fail.
type failures struct {
	testing.TB
	said []string
}

func (f *failures) Errorf(format string, args ...any) { f.said = append(f.said, format) }

func TestARowThatIsNotWrittenFails(t *testing.T) {
	inPackage(t)
	t.Setenv(rowsVariable, "")
	t.Setenv(writing, "")
	require.NoError(t, Gateways.write(seen))
	f := &failures{TB: t}
	Gateways.Record(f, seen[0])
	require.Empty(t, f.said)
	changed := seen[0]
	changed.Result = "hangs"
	Gateways.Record(f, changed)
	require.Len(t, f.said, 1)
}

func TestFinishComparesOrWrites(t *testing.T) {
	inPackage(t)
	dir := t.TempDir()
	run := NewRun(Gateways, dir)
	name, path, _ := strings.Cut(run.Environ(), "=")
	t.Setenv(name, path)
	t.Setenv(writing, "1")
	for _, r := range seen {
		Gateways.Record(t, r)
	}
	require.Error(t, run.Finish(false), "written from a part of the tests")
	require.NoError(t, run.Finish(true))
	t.Setenv(writing, "")
	require.NoError(t, run.Finish(true))
	require.NoError(t, Gateways.write(append(seen, Row{"ghost", "1", "CONNECT", "auto", "works"})))
	require.ErrorContains(t, run.Finish(true), "ghost")
	require.NoError(t, run.Finish(false))
	require.NoError(t, LeftOut())
	require.NoError(t, run.Finish(true), "a test was skipped")
}
