package peers

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Destinations that cannot be reached, each for another reason, in the network that [Main] makes. The addresses are
// reserved for documentation, RFC 5737 and RFC 3849.
const (
	HostUnreachable4 = "192.0.2.1" // EHOSTUNREACH at once
	HostUnreachable6 = "2001:db8::1"
	Prohibited4      = "192.0.2.2" // EACCES at once
	Prohibited6      = "2001:db8::2"
	NetUnreachable4  = "198.51.100.1" // ENETUNREACH at once
	NetUnreachable6  = "2001:db8:1::1"
	Silent4          = "203.0.113.9" // packets are lost
	Silent6          = "2001:db8:2::9"
)

// Addresses of this node other than loopback, in the network that [Main] makes.
const (
	Here4 = "203.0.113.1"
	Here6 = "2001:db8:2::1"
)

// SilentInterface is the interface of the route to the silent destinations.
const SilentInterface = "silent0"

// network are the commands for ip(8). No host is at the other end of the veth pair.
var network = fmt.Sprintf(`link set lo up
link add %[1]s type veth peer name silent1
addr add %[8]s/24 dev %[1]s
addr add %[9]s/64 dev %[1]s nodad
link set %[1]s up
link set silent1 up
neigh add %[2]s lladdr 02:00:00:00:00:09 dev %[1]s
neigh add %[3]s lladdr 02:00:00:00:00:09 dev %[1]s
route add unreachable %[4]s
route add unreachable %[5]s
route add prohibit %[6]s
route add prohibit %[7]s
`, SilentInterface, Silent4, Silent6, HostUnreachable4, HostUnreachable6, Prohibited4, Prohibited6, Here4, Here6)

func makeNetwork() error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(network)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	return nil
}

// isolatedVariable is set inside of the namespaces that Main makes. With the value probing no tests run.
const (
	isolatedVariable = "SOCKSLIB_INTEROP_ISOLATED"
	probing          = "probing"
)

// notIsolated is the reason why Main made no namespaces.
var notIsolated error

// Isolated skips t unless it runs in the namespaces of [Main].
func Isolated(t testing.TB) {
	t.Helper()
	if os.Getenv(isolatedVariable) == "" && notIsolated == nil {
		t.Fatal("the tests of this package are not run by peers.Main")
	}
	needs(t, notIsolated)
}
