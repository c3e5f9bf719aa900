package docs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

var (
	goFile = regexp.MustCompile(`\b(?:[a-z]\w*/)+\w+\.go\b`)
	within = regexp.MustCompile("((?:`\\w+`(?: and )?)+) in ((?:[a-z]\\w*/)+\\w+\\.go)") // `Close` in socks/conn.go
)

// It also shows that each name which ARCHITECTURE.md says is in a file is there, and that the text has at most 150 lines.
func TestFilesAndNamesOfArchitectureExist(t *testing.T) {
	need.All(t, wholeRepository())
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	require.NoError(t, err)
	require.LessOrEqual(t, bytes.Count(text, []byte("\n")), 150)
	files := goFile.FindAllString(string(text), -1)
	require.NotEmpty(t, files)
	for _, file := range files {
		require.FileExists(t, filepath.Join(root, file))
	}
	var packages int
	for line := range strings.Lines(string(text)) {
		if row, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ := strings.Cut(row, " |")
			for _, m := range inline.FindAllStringSubmatch("`"+cell, -1) {
				require.DirExists(t, filepath.Join(root, m[1]))
				packages++
			}
		}
	}
	require.NotZero(t, packages)
	claims := within.FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, claims)
	for _, m := range claims {
		source, err := os.ReadFile(filepath.Join(root, m[2]))
		require.NoError(t, err)
		for _, name := range inline.FindAllStringSubmatch(m[1], -1) {
			require.Regexp(t, `\b`+name[1]+`\b`, string(source), "ARCHITECTURE.md says that %s has it", m[2])
		}
	}
}
