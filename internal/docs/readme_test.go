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

// Each program of README.md compiles in a module outside the repository, as it does for a reader.
func TestReadmeProgramsCompile(t *testing.T) {
	var programs int
	for _, b := range blocks(readme(t)) {
		if b.language != "go" {
			continue
		}
		programs++
		require.True(t, strings.HasPrefix(b.text, "package main\n"), "not a complete program:\n%s", b.text)
		cmd := exec.Command("go", "vet", "-mod=mod", ".")
		cmd.Dir = module(t, b.text)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, b.text)
	}
	require.NotZero(t, programs)
}

// module writes a program into a new module, and returns its folder. The module requires the same versions as the library,
// so nothing is downloaded.
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

// covered has, for each command by its prefix, the folder and func of the test that runs the command or does the same, or
// the file that runs the command.
var covered = []struct{ command, by string }{
	{"go test ./...", ".ci/run"},
	{"go get github.com/sockslib/sockslib", "internal/docs TestReadmeProgramsCompile"},
	{"go run ./examples/quickstart", "examples/quickstart TestEachStepIsToldInOrder"},
	{"go run ./examples/gateway", "examples/gateway TestRunServesANameOverAUnixSocket"},
	{"go run ./examples/httpget", "examples/httpget TestGetUsesANameThatOnlyTheGatewayKnows"},
	{"go run ./examples/dnsserver", "examples/dnsserver TestProgramAnswersFromTableAndUpstream"},
	{"go run ./examples/status", "examples/status/browsertest TestDemonstration"},
	{"cd examples/clients && go test ./...", ".ci/run"},
	{"go build -trimpath", "internal/docs TestProgramWithDialerAloneHasTheSizeOfReadme"},
	{"cd cmd/socksify && go install", "cmd/socksify/internal/lab TestProgramsReachTheirServers"},
	{"ALL_PROXY=socks5://127.0.0.1:1080 socksify curl", "cmd/socksify/internal/lab TestProgramsReachTheirServers"},
	{"curl -x socks5h://127.0.0.1:1080 http://", "internal/interop/clients TestCurlWorksThroughTheGateway"},
	{"dig @127.0.0.1 -p 1053", "examples/dnsserver TestProgramAnswersFromTableAndUpstream"},
}

func TestEachReadmeCommandIsRunByATest(t *testing.T) {
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
		require.NotEmpty(t, by, "no test runs %q", command)
		folder, name, isTest := strings.Cut(by, " ")
		if isTest {
			require.True(t, hasFunc(t, filepath.Join(root, folder), name), "%s, which should run %q, does not exist", by, command)
		} else {
			text, err := os.ReadFile(filepath.Join(root, by))
			require.NoError(t, err)
			require.Contains(t, string(text), command[strings.LastIndex(command, "go "):])
		}
		requireFlags(t, command)
	}
}

// hasFunc reports whether the test files of a folder have a func.
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

// requireFlags requires that an example has the flags that a command uses.
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

func TestFilesThatReadmeLinksToExist(t *testing.T) {
	need.All(t, wholeRepository())
	for _, m := range link.FindAllStringSubmatch(readme(t), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "#") {
			_, err := os.Stat(filepath.Join(root, m[1]))
			require.NoError(t, err)
		}
	}
}
