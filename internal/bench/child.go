package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/sockslib/sockslib/internal/bench/link"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// roleVar is the environment variable with the role of a process that this program has started.
const roleVar = "SOCKSLIB_BENCH_ROLE"

// The roles of a process. The first process has no role. It starts the inner process in another network
// namespace, and that does all the work. If namespaces cannot be made, the first process does the work itself.
const (
	roleInner    = "inner"
	roleServers  = "servers"  // on loopback
	roleDistant  = "distant"  // behind a link that delays, in another namespace
	roleDelayed  = "delayed"  // on loopback, behind relays that delay
	roleDNS      = "dns"      // the resolver's DNS server; see dnsRole
	rolePlainDNS = "plaindns" // a plain handler, for comparison

	roleHTTP3         = "http3"         // an HTTP/3 server
	roleRelay         = "relay"         // of datagrams, without SOCKS
	roleBundled       = "bundled"       // the bundled gateway
	roleBundledSingly = "bundledsingly" // the same, with one datagram per system call
)

// linkFD is the descriptor at which a distant process has the near end of its link.
const linkFD = 3

// self returns a command that runs this program in a role.
func self(role string, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// isolated runs the whole program in a new network namespace, and reports whether it could.
func isolated() (ran bool, err error) {
	cmd, err := self(roleInner, os.Args[1:]...)
	if err != nil {
		return false, err
	}
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	runtime.LockOSThread() // the kernel kills the process when the thread that started it ends
	defer runtime.UnlockOSThread()
	link.Isolate(cmd, true)
	if cmd.SysProcAttr == nil || cmd.Start() != nil {
		return false, nil
	}
	return true, cmd.Wait()
}

// child is a process with servers. It ends when its standard input ends, at the latest with this process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a process in a role, and decodes its first line into hello. The process inherits near, if not nil,
// as descriptor linkFD, and then runs in a new network namespace.
func start(role string, hello any, near *os.File) (*child, error) {
	cmd, err := self(role)
	if err != nil {
		return nil, err
	}
	if near != nil {
		link.Isolate(cmd, false)
		cmd.ExtraFiles = []*os.File{near}
	}
	c := &child{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	c.out = bufio.NewReader(out)
	if err := c.answer(hello); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return c, nil
}

func (c *child) answer(to any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, to)
}

// ask sends a command and decodes the answer.
func (c *child) ask(command string, answer any) error {
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return err
	}
	return c.answer(answer)
}

// cpu returns the processor time that the process has used.
func (c *child) cpu() (used time.Duration, err error) {
	err = c.ask("cpu", &used)
	return used, err
}

// used is cpu, or 0 for a nil child.
func (c *child) used() (time.Duration, error) {
	if c == nil {
		return 0, nil
	}
	return c.cpu()
}

// setRTT changes the round-trip time.
func (c *child) setRTT(rtt time.Duration) error {
	var done bool
	return c.ask("rtt "+rtt.String(), &done)
}

func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait()
}

// serve is a child's main: it starts the servers, writes their addresses, and answers commands until standard
// input ends.
func serve(role string) error {
	var delay link.Delay
	hello, err := open(role, &delay)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(hello); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var answer any
		if rtt, ok := strings.CutPrefix(in.Text(), "rtt "); ok {
			d, err := time.ParseDuration(rtt)
			if err != nil {
				return err
			}
			delay.Set(d)
			answer = true
		} else {
			answer = cpuTime()
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

func open(role string, delay *link.Delay) (hello any, err error) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	role, mode, _ := strings.Cut(role, ":")
	switch role {
	case roleServers:
		return servers.Start(loopback)
	case roleDistant:
		return openDistant(delay)
	case roleDelayed:
		return openDelayed(loopback, delay)
	case roleDNS:
		return servers.StartDNS(servers.DNSMode(mode))
	case rolePlainDNS:
		return servers.StartPlainDNS(servers.DNSMode(mode))
	case roleHTTP3:
		return servers.StartHTTP3()
	case roleRelay:
		return servers.StartRelay(os.Getenv(targetVar))
	case roleBundled, roleBundledSingly:
		return servers.StartBundled(destination, role == roleBundledSingly)
	}
	return nil, errors.New("no such role: " + role)
}

// dnsRole returns the role of a DNS server in a mode.
func dnsRole(role string, mode servers.DNSMode) string { return role + ":" + string(mode) }

func openDistant(delay *link.Delay) (any, error) {
	if err := link.Loopback(); err != nil {
		return nil, err
	}
	far, err := link.Open(link.Far)
	if err != nil {
		return nil, err
	}
	if err := link.FastOpen(); err != nil {
		fmt.Fprintln(os.Stderr, "the gateway has no TCP Fast Open:", err)
	}
	link.Join(os.NewFile(linkFD, "near"), far, delay)
	return servers.Start(link.Far)
}

// openDelayed starts the servers, and a delaying relay before each one that the sections with round trips use.
func openDelayed(ip netip.Addr, delay *link.Delay) (any, error) {
	a, err := servers.Start(ip)
	if err != nil {
		return nil, err
	}
	for _, at := range []*string{&a.Open, &a.Password, &a.Direct} {
		if *at, err = link.Relay(*at, delay); err != nil {
			return nil, err
		}
	}
	return a, nil
}
