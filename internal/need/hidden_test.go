package need_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

// hidings are tests that need a program, each with a program to hide from it or to replace by another of the same
// name.
var hidings = []struct {
	pkg, test, program string
	instead            string // a shell script in the program's place; empty: none
}{
	{"internal/testgw", "TestCurlIsServed", "curl", ""},
	{"internal/testgw", "TestCurlIsServed", "curl", "exit 1"},
	{"socks", "TestCopySplices", "strace", ""},
	{"socks", "TestCopySplices", "strace", "echo strace: test_ptrace_get_syscall_info: Operation not permitted >&2; exit 1"},
	{"dialer", "TestOwnNames", "unshare", ""},
	{"resolver", "TestCLibraryReachesEveryTypedName", "getent", ""},
	{"resolver", "TestNoLookupReachesTheSystemsResolver", "true", ""}, // the program of the probe of namespaces
	{"internal/interop/clients", "TestCurlWorksThroughTheGateway", "curl", ""},
	{"internal/interop/clients", "TestCurlWorksThroughTheGateway", "ip", ""},
	{"internal/interop/clients", "TestCurlWorksThroughTheGateway", "ip", "echo Operation not permitted >&2; exit 2"},
	{"internal/interop/clients", "TestCurlWorksThroughTheGateway", "unshare", ""},
	{"internal/interop/clients", "TestCurlWorksThroughTheGateway", "dpkg-query", ""},
	{"internal/interop/clients", "TestNCWorksThroughTheGateway", "nc", ""},
	{"internal/interop/clients", "TestNCWorksThroughTheGateway", "nc", "echo '[v1.10-47]'; echo 'usage: nc [-options] hostname port' >&2; exit 1"},
	{"internal/interop/clients", "TestPySocksWorksThroughTheGateway", "socks.py", "raise ImportError('socks.py is another')"},
	{"internal/interop/clients", "TestProxychainsWorksThroughTheGateway", "proxychains4", ""},
	{"internal/interop/clients", "TestProxychainsWorksThroughTheGateway", "curl", ""},
	{"internal/interop/clients", "TestTorsocksWorksThroughTheGateway", "torsocks", ""},
	{"internal/interop/clients", "TestTorsocksWorksThroughTheGateway", "curl", ""},
	{"internal/interop/clients", "TestSocksifyWorksThroughTheGateway", "socksify", ""},
	{"internal/interop/clients", "TestFTPServerConnectsBackThroughABind", "tnftp", ""},
	{"internal/interop/clients", "TestFTPServerConnectsBackThroughABind", "vsftpd", ""},
	{"internal/interop/clients", "TestStaticGoProgramBypassesPreloadedLibraries", "nc", ""},
	{"internal/interop/gateways", "TestDantedServesEveryCommand", "danted", ""},
	{"internal/interop/gateways", "TestMicrosocksServesConnect", "microsocks", ""},
	{"internal/interop/gateways", "TestSSHServesConnect", "ssh", ""},
	{"internal/interop/gateways", "TestSSHServesConnect", "ssh-keygen", ""},
	{"internal/interop/gateways", "TestSSHServesConnect", "sshd", ""},
	{"internal/interop/gateways", "TestTorResolves", "tor", ""},
	{"internal/interop/peers", "TestDantedKnowsItsOwnUserAlone", "perl", ""},
	{"internal/interop/netns", "TestCombinationsCarryEveryRequest", "ip", ""},
}

// A test whose program is hidden skips and says so: it neither fails nor passes.
func TestHiddenProgramMakesItsTestSkip(t *testing.T) {
	need.Path(t, "go", "golang")
	need.All(t, need.Writable(t.TempDir()))
	built := t.TempDir()
	binaries := map[string]string{}
	for _, u := range hidings {
		if binaries[u.pkg] == "" {
			binaries[u.pkg] = filepath.Join(built, strings.ReplaceAll(u.pkg, "/", "_"))
			cmd := exec.Command("go", "test", "-c", "-o", binaries[u.pkg], "./"+u.pkg)
			cmd.Dir = filepath.Join("..", "..")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
		}
	}
	for _, u := range hidings {
		t.Run(filepath.Base(u.pkg)+" "+u.test+" without "+u.program, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(binaries[u.pkg], "-test.v", "-test.run=^"+u.test+"$", "-test.timeout=1m")
			cmd.Dir = filepath.Join("..", "..", filepath.FromSlash(u.pkg))
			cmd.Env = without(t, u.program, u.instead)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Regexp(t, `(?m)^--- SKIP: `+u.test+` `, string(out))
			require.NotRegexp(t, `(?m)^ *--- (PASS|FAIL)`, string(out))
			require.Regexp(t, `(?m): needs \S`, string(out))
			if need.Root() == nil && need.Namespaces() == nil { // otherwise the test may first lack something else
				require.Regexp(t, `(?m): needs .*\b`+regexp.QuoteMeta(u.program)+`\b`, string(out))
			}
		})
	}
}

// without returns this process's environment with a PATH that has all programs of the tests but one. It also keeps
// the tests from building programs.
func without(t *testing.T, program, instead string) []string {
	dir := t.TempDir()
	for _, name := range append(otherPrograms, programs()...) {
		if path, err := exec.LookPath(name); err == nil && name != program {
			require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
		}
	}
	if instead != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"+instead+"\n"), 0o755))
	}
	return append(os.Environ(), "PATH="+dir, "PYTHONPATH="+dir, "SOCKSLIB_INTEROP_BUILT="+dir, "CI=")
}

// otherPrograms are further programs that the tests need.
var otherPrograms = []string{"sh", "mkdir", "mount", "python3"}

// programs returns the programs of hidings, each once.
func programs() (all []string) {
	for _, u := range hidings {
		if !slices.Contains(all, u.program) {
			all = append(all, u.program)
		}
	}
	return all
}
