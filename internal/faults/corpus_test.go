package faults

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parsers are the packages that parse untrusted input, and their fuzz targets.
var parsers = map[string][]string{
	"internal/names":   {"FuzzCanonical"},                                                  // names from users and DNS clients
	"internal/wire":    {"FuzzMessages", "FuzzDatagram", "FuzzReplyLikeXNet"},              // the messages of RFC 1928 and 1929
	"internal/noproxy": {"FuzzDirect"},                                                     // NO_PROXY
	"mapping":          {"FuzzRead", "FuzzAssign"},                                         // snapshots, names and literals
	"resolver":         {"FuzzReply", "FuzzUpstreamAnswer", "FuzzParseArpa", "FuzzStream"}, // DNS queries, answers, names and framing
	"socks":            {"FuzzParseURL", "FuzzParseAddr", "FuzzReplies", "FuzzSecondReplies", "FuzzResolutions", "FuzzDatagrams"},
}

// Every fuzz target has seeds, and every parser has its targets. Without seeds, go test would run nothing of a
// target and pass.
func TestCorporaHaveSeedsForEveryFuzzTarget(t *testing.T) {
	const root = "../.."
	found := map[string][]string{} // by package
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err == nil {
			found[filepath.ToSlash(dir)] = append(found[filepath.ToSlash(dir)], fuzzTargets(t, path)...)
		}
		return err
	})
	require.NoError(t, err)
	for dir, want := range parsers {
		require.Subset(t, found[dir], want, dir)
	}
}

// fuzzTargets returns the names of the fuzz targets in a file, and requires that each has seeds.
func fuzzTargets(t *testing.T, path string) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && isFuzz(f) {
			names = append(names, f.Name.Name)
			kept, _ := os.ReadDir(filepath.Join(filepath.Dir(path), "testdata", "fuzz", f.Name.Name)) // an error means no seeds there
			require.Positive(t, seeds(f)+len(kept), "%s has no seeds", f.Name.Name)
		}
	}
	return names
}

// isFuzz reports whether f is a fuzz target.
func isFuzz(f *ast.FuncDecl) bool {
	return f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") && len(f.Type.Params.List) == 1
}

// seeds counts the calls of Add on a fuzz target's parameter. A call in a loop over a literal without elements
// does not count.
func seeds(f *ast.FuncDecl) (n int) {
	name := f.Type.Params.List[0].Names[0].Name
	ast.Inspect(f.Body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.RangeStmt:
			lit, ok := node.X.(*ast.CompositeLit)
			return !ok || len(lit.Elts) > 0
		case *ast.CallExpr:
			s, ok := node.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if on, ok := s.X.(*ast.Ident); ok && on.Name == name && s.Sel.Name == "Add" {
				n++
			}
		}
		return true
	})
	return n
}
