package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

var (
	row = regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(\.\./(examples/clients/[^)]+)\) \| (.*?) \| (itself|open)[^|]* \|`)

	// noRow are the folders of examples/clients that need no row.
	noRow = map[string]bool{
		"examples/clients/kafka/internal/broker": true,
		"examples/clients/otel":                  true,
		"examples/clients/retries":               true,
		"examples/clients/kcp":                   true, // the text below the table describes these three
		"examples/clients/pion":                  true,
		"examples/clients/wireguard":             true,
	}
)

// docs/CLIENTS.md has a row for each client of examples/clients, and no other row. Each client has a test that exercises it
// as the row says, and the row's settings are in the client's file.
func TestClientsTableMatchesTheExamples(t *testing.T) {
	need.All(t, wholeRepository())
	text, err := os.ReadFile(filepath.Join(root, "docs/CLIENTS.md"))
	require.NoError(t, err)
	listed := make(map[string]bool)
	rows := row.FindAllStringSubmatch(string(text), -1)
	require.GreaterOrEqual(t, len(rows), 30)
	for _, m := range rows {
		source, err := os.ReadFile(filepath.Join(root, m[2]))
		require.NoError(t, err, m[1])
		require.True(t, strings.Contains(string(source), "dialer.Dialer"), m[1])
		for _, setting := range settings(m[3]) {
			require.True(t, strings.Contains(string(source), setting), "the row of %s has a setting that its file lacks: %s", m[1], setting)
		}
		folder := filepath.ToSlash(filepath.Dir(m[2]))
		listed[folder] = true
		requireExercised(t, folder, m[4])
	}
	require.Equal(t, clients(t), listed)
}

// settings returns the code spans of a cell before its first colon outside of code; a reason follows the colon.
func settings(cell string) (all []string) {
	setting, _, _ := strings.Cut(inline.ReplaceAllStringFunc(cell, func(code string) string { return strings.ReplaceAll(code, ":", "\x00") }), ":")
	for _, m := range inline.FindAllStringSubmatch(setting, -1) {
		code := strings.ReplaceAll(m[1], "\x00", ":")
		all = append(all, code)
	}
	return all
}

// requireExercised requires that a folder's tests exercise the client, and that they expect the client to do after a cut
// connection what the table says.
func requireExercised(t *testing.T, folder, again string) {
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	require.NoError(t, err)
	var tests strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		tests.Write(text)
	}
	kind := "Reconnects"
	if again == "open" {
		kind = "(Single|Datagrams)"
	}
	require.Regexp(t, `\.Exercise\(behind\.`+kind+`,`, tests.String(), folder)
}

// clients returns the folders of examples/clients with Go files, except those in noRow.
func clients(t *testing.T) map[string]bool {
	all := make(map[string]bool)
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "examples/clients"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			folder, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			if folder = filepath.ToSlash(folder); !noRow[folder] {
				all[folder] = true
			}
		}
		return err
	}))
	return all
}
