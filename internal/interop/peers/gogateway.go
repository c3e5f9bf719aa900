package peers

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GoGateway is the configuration of a gateway in Go: a small program that uses another project's module. [Main]
// builds the programs with [BuildGoGateways].
type GoGateway struct {
	Node
	Module   string     // ThingsGo, Wzshiming or Txthinking
	Internal netip.Addr // address that it listens at; zero: 127.0.0.1
	User     string     // empty: no authentication
	Password string     // of User
}

// The modules with a program.
const (
	ThingsGo   = "github.com/things-go/go-socks5" // CONNECT, UDP ASSOCIATE
	Wzshiming  = "github.com/wzshiming/socks5"    // CONNECT, BIND, UDP ASSOCIATE
	Txthinking = "github.com/txthinking/socks5"   // CONNECT, UDP ASSOCIATE
)

// goGateways are the names of the programs.
var goGateways = map[string]string{ThingsGo: "thingsgo", Wzshiming: "wzshiming", Txthinking: "txthinking"}

// BuildGoGateways builds the Go gateways into a directory. Their modules come from the module cache or the network.
func BuildGoGateways(dir string) error {
	here, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/sockslib/sockslib/internal/interop/peers").Output()
	if err != nil {
		return fmt.Errorf("the Go gateways: %w", err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+string(filepath.Separator), "./...")
	build.Dir = filepath.Join(strings.TrimSpace(string(here)), "gogateways")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the Go gateways: %w: %s", err, out)
	}
	return nil
}

// Start starts the gateway and returns when it listens.
func (g GoGateway) Start(t testing.TB) *Peer {
	t.Helper()
	program := filepath.Join(os.Getenv(builtVariable), goGateways[g.Module])
	if _, err := os.Stat(program); errors.Is(err, os.ErrNotExist) {
		needs(t, fmt.Errorf("%s, which BuildGoGateways builds with go", g.Module))
	}
	listens := listensAt(t, g.Internal)
	command := []string{program, "-listen", listens.String()}
	if g.User != "" {
		command = append(command, "-user", g.User, "-password", g.Password)
	}
	return start(t, process{
		node: g.Node, command: command, listens: []netip.AddrPort{listens},
		version: moduleVersion(t, program, g.Module),
	})
}
