package peers

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunReturnsOutputAndExitCode(t *testing.T) {
	shell := func(script string) Command {
		return Command{Program: "sh", Debian: "dash", Args: []string{"-c", script}, Env: []string{"KEY=value"}, Stdin: "in"}
	}
	out := Node{}.Run(t, shell(`cat; echo $KEY; echo error >&2; exit 7`))
	require.Equal(t, Output{"invalue\n", "error\n", 7}, out)

	n := Node{Hosts: map[string][]netip.Addr{"only.g.test": {netip.MustParseAddr("192.0.2.1")}}}
	lookup := shell("getent hosts only.g.test")
	require.Contains(t, n.Run(t, lookup).Stdout, "192.0.2.1")
	require.NotZero(t, Node{}.Run(t, lookup).Code, "the name exists elsewhere")

	replace := shell("cat /etc/passwd")
	replace.Files = map[string]string{"/etc/passwd": "nobody else\n"}
	require.Equal(t, "nobody else\n", n.Run(t, replace).Stdout)
}
