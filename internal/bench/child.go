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

// roleVar tells a process of this program that it is not the first one, and what it is.
const roleVar = "SOCKSLIB_BENCH_ROLE"

// What a process can be. The first one starts the inner one in a namespace of its own, where everything
// else happens; where that cannot be, it goes on alone.
const (
	roleInner    = "inner"
	roleServers  = "servers"  // on loopback
	roleDistant  = "distant"  // behind a link that delays, in another namespace
	roleDelayed  = "delayed"  // on loopback, behind relays that delay
	roleDNS      = "dns"      // the resolver's DNS server; see dnsRole
	rolePlainDNS = "plaindns" // a plain handler, to compare it with

	roleHTTP3         = "http3"         // an HTTP/3 server
	roleRelay         = "relay"         // of datagrams, without SOCKS
	roleBundled       = "bundled"       // the gateway that comes with this module
	roleBundledSingly = "bundledsingly" // the same, one datagram by one system call
)

// linkFD is where a distant process finds the near end of its link.
const linkFD = 3

// self is this program once more, in a role.
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

// isolated runs the whole program in a network namespace of its own, and reports whether it could.
func isolated() (ran bool, err error) {
	cmd, err := self(roleInner, os.Args[1:]...)
	if err != nil {
		return false, err
	}
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	runtime.LockOSThread() // whose end would be the process's
	defer runtime.UnlockOSThread()
	link.Isolate(cmd, true)
	if cmd.SysProcAttr == nil || cmd.Start() != nil {
		return false, nil
	}
	return true, cmd.Wait()
}

// child is a process of servers. It ends when its standard input does, at the latest with this process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a process in a role and decodes what it has to say first.
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

// used is cpu for a process that may be nobody.
func (c *child) used() (time.Duration, error) {
	if c == nil {
		return 0, nil
	}
	return c.cpu()
}

// setRTT changes how long a round trip takes.
func (c *child) setRTT(rtt time.Duration) error {
	var done bool
	return c.ask("rtt "+rtt.String(), &done)
}

func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait()
}

// serve is a child's main: it starts the servers, tells where they are, and obeys until it is left alone.
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

// dnsRole is the role of a DNS server in a mode.
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

// openDelayed puts a relay that delays before each server that the round trips are measured with.
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
