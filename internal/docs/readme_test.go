package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

// A program of README.md is one of another module, as its reader's is.
func TestPrograms(t *testing.T) {
	var programs int
	for _, b := range blocks(readme(t)) {
		if b.language != "go" {
			continue
		}
		programs++
		require.True(t, strings.HasPrefix(b.text, "package main\n"), "no whole program:\n%s", b.text)
		cmd := exec.Command("go", "vet", "-mod=mod", ".")
		cmd.Dir = module(t, b.text)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, b.text)
	}
	require.NotZero(t, programs)
}

// module makes a module of a program. It needs what the library needs, so no network is asked.
func module(t *testing.T, program string) (dir string) {
	dir = t.TempDir()
	at, err := filepath.Abs(root)
	require.NoError(t, err)
	config, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(config), "\n")
	require.True(t, found)
	config = []byte("module example.com/program\n" + rest +
		"\nrequire github.com/sockslib/sockslib v0.0.0\nreplace github.com/sockslib/sockslib => " + strconv.Quote(at) + "\n")
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, text := range map[string][]byte{"go.mod": config, "go.sum": sums, "main.go": []byte(program)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	return dir
}

// covered says of each command, by how it begins, which test runs it or what it does, a folder and a func
// there, or which file has the command itself.
var covered = []struct{ command, by string }{
	{"go test ./...", ".ci/run"},
	{"go get github.com/sockslib/sockslib", "internal/docs TestPrograms"},
	{"go run ./examples/quickstart", "examples/quickstart TestEachStepIsToldInOrder"},
	{"go run ./examples/gateway", "examples/gateway TestRun"},
	{"go run ./examples/httpget", "examples/httpget TestGet"},
	{"go run ./examples/dnsserver", "examples/dnsserver TestRun"},
	{"go run ./examples/status", "examples/status/browsertest TestDemonstration"},
	{"cd examples/clients && go test ./...", ".ci/run"},
	{"go build -trimpath", "internal/docs TestDialerAlone"},
	{"cd cmd/socksify && go install", "cmd/socksify/internal/lab TestPrograms"},
	{"ALL_PROXY=socks5://127.0.0.1:1080 socksify curl", "cmd/socksify/internal/lab TestPrograms"},
	{"curl -x socks5h://127.0.0.1:1080 http://", "internal/interop/clients TestCurl"},
	{"dig @127.0.0.1 -p 1053", "examples/dnsserver TestRun"},
}

func TestCommandsAreCovered(t *testing.T) {
	need.All(t, wholeRepository())
	all := commands(t)
	require.Contains(t, all, "go run ./examples/quickstart")
	for _, command := range all {
		by := ""
		for _, c := range covered {
			if strings.HasPrefix(command, c.command) {
				by = c.by
			}
		}
		require.NotEmpty(t, by, "no test is known that runs %q", command)
		folder, name, isTest := strings.Cut(by, " ")
		if isTest {
			require.True(t, hasFunc(t, filepath.Join(root, folder), name), "%s is to run %q, and there is none", by, command)
		} else {
			text, err := os.ReadFile(filepath.Join(root, by))
			require.NoError(t, err)
			require.Contains(t, string(text), command[strings.LastIndex(command, "go "):])
		}
		requireFlags(t, command)
	}
}

// hasFunc reports whether the tests of a folder have a func.
func hasFunc(t *testing.T, folder, name string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == name {
				return true
			}
		}
	}
	return false
}

var example = regexp.MustCompile(`^go run \./(examples/\w+)((?: \S+)*)$`)

// requireFlags requires that an example has the flags with which a command runs it.
func requireFlags(t *testing.T, command string) {
	m := example.FindStringSubmatch(command)
	if m == nil {
		return
	}
	files, err := filepath.Glob(filepath.Join(root, m[1], "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, command)
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source.Write(text)
	}
	for word := range strings.FieldsSeq(m[2]) {
		if name, ok := strings.CutPrefix(word, "-"); ok {
			require.Regexp(t, `\.(Bool|String|Int|Float64|Duration|Func|BoolFunc|Text)?(Var)?\((&[\w.]+, )?"`+regexp.QuoteMeta(name)+`"`, source.String(), command)
		}
	}
}

// What README.md links to in the repository is there.
func TestLinks(t *testing.T) {
	need.All(t, wholeRepository())
	for _, m := range link.FindAllStringSubmatch(readme(t), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "#") {
			_, err := os.Stat(filepath.Join(root, m[1]))
			require.NoError(t, err)
		}
	}
}

// Who imports dialer alone gets neither a DNS library nor another module than the README says. The size there is
// of the command beside it.
func TestDialerAlone(t *testing.T) {
	dir := module(t, "package main\n\nimport _ \"github.com/sockslib/sockslib/dialer\"\n\nfunc main() {}\n")
	for _, args := range [][]string{
		{"build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "program"), "."},
		{"list", "-mod=mod", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "."},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		require.NoError(t, err, args)
		for module := range strings.FieldsSeq(string(out)) {
			require.Contains(t, []string{"example.com/program", "github.com/sockslib/sockslib", "golang.org/x/net", "golang.org/x/sys", "golang.org/x/text"}, module)
		}
	}
}
