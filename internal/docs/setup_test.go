package docs

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// root is the root of the repository.
const root = "../.."

// wholeRepository returns an error if the other modules are missing, as they are in the zip of the root module.
func wholeRepository() error {
	if _, err := os.Stat(filepath.Join(root, "examples", "clients", "go.mod")); err != nil {
		return fmt.Errorf("the whole repository, not the module alone: %w", err)
	}
	return nil
}

// block is a fenced code block.
type block struct {
	language string // empty: commands
	text     string
}

var (
	fence  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inline = regexp.MustCompile("`([^`\n]+)`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)

	environment = regexp.MustCompile(`^(\w+=\S* )+`) // variables that are set before a command
)

func readme(t *testing.T) string {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	return string(text)
}

func blocks(text string) (all []block) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// isCommand reports whether a code span is a command, by its first word.
func isCommand(code string) bool {
	first, _, _ := strings.Cut(code, " ")
	switch first {
	case "go", "cd", "curl", "dig":
		return true
	}
	return false
}

// commands returns the commands in the blocks and sentences of README.md, and in the package comments of the examples.
func commands(t *testing.T) (all []string) {
	text := readme(t)
	for _, b := range blocks(text) {
		if b.language == "" || b.language == "sh" {
			all = append(all, strings.Split(strings.TrimSpace(b.text), "\n")...)
		}
	}
	for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		if isCommand(m[1]) {
			all = append(all, m[1])
		}
	}
	mains, err := filepath.Glob(filepath.Join(root, "examples/*/main.go"))
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	for _, file := range mains {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		for line := range strings.Lines(f.Doc.Text()) {
			code, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "\t")
			if code = environment.ReplaceAllString(code, ""); indented && isCommand(code) {
				all = append(all, code)
			}
		}
	}
	return all
}
