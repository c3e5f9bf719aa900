package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sockslib/sockslib/internal/bench/servers"
)

// dnsCache is a DNS cache of the system's packages. It runs in a process of its own, and holds the answers to all
// queries of the load.
type dnsCache struct {
	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan error
	addr  string
}

// unboundConf has one thread, as dnsmasq has, and validates nothing.
const unboundConf = `
server:
	num-threads: 1
	interface: 127.0.0.1
	port: %s
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	module-config: "iterator"
	username: ""
	chroot: ""
	pidfile: ""
	directory: "/"
	use-syslog: no
	do-daemonize: no
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: 127.0.0.1@%s
`

// cacheCommands make the command line of each cache. dir is a folder for its configuration.
var cacheCommands = map[string]func(dir, port, upstream string) (*exec.Cmd, error){
	"dnsmasq": func(_, port, upstream string) (*exec.Cmd, error) {
		return exec.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--listen-address=127.0.0.1", "--bind-interfaces",
			"--port="+port, "--no-resolv", "--no-hosts", "--server=127.0.0.1#"+upstream, "--cache-size=10000",
			"--user=root", "--pid-file=", "--log-facility=-"), nil
	},
	"unbound": func(dir, port, upstream string) (*exec.Cmd, error) {
		conf := filepath.Join(dir, "unbound.conf")
		err := os.WriteFile(conf, fmt.Appendf(nil, unboundConf, port, upstream), 0o644)
		return exec.Command("unbound", "-d", "-c", conf), err
	},
}

// startCache starts a cache and fills it from a plain handler. The handler ends then, so every later answer is
// from the cache. The error matches exec.ErrNotFound if the program is not installed.
func startCache(program string, queries [][]byte) (*dnsCache, error) {
	if _, err := exec.LookPath(program); err != nil {
		return nil, err
	}
	var upstream string
	plain, err := start(dnsRole(rolePlainDNS, servers.DNSSpecific), &upstream, nil)
	if err != nil {
		return nil, err
	}
	defer plain.stop()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // the configuration has been read by then
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	_, upstreamPort, _ := net.SplitHostPort(upstream)
	cmd, err := cacheCommands[program](dir, port, upstreamPort)
	if err != nil {
		return nil, err
	}
	c := &dnsCache{cmd: cmd, ended: make(chan error, 1), addr: net.JoinHostPort("127.0.0.1", port)}
	cmd.Stdout, cmd.Stderr = &c.log, &c.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.ended <- cmd.Wait() }() // ends with the cache, which stop kills
	if err := c.fill(queries); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s: %w: %s", program, err, c.log.Bytes())
	}
	return c, nil
}

// fill waits until the cache answers, and sends it every query once.
func (c *dnsCache) fill(queries [][]byte) error {
	for range 500 {
		select {
		case err := <-c.ended:
			c.ended <- err
			return errors.Join(errors.New("ended"), err)
		case <-time.After(20 * time.Millisecond):
		}
		if floodBy(c.addr, queries, 1) == nil {
			return floodBy(c.addr, queries, len(queries))
		}
	}
	return errors.New("does not answer")
}

// used returns the processor time that all threads of the cache have used.
func (c *dnsCache) used() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		return 0, errors.Join(errors.New("no processor time of "+c.cmd.Args[0]), err)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		used, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(used, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

func (c *dnsCache) stop() {
	c.cmd.Process.Kill()
	<-c.ended
}

// freePort returns a port of loopback that is free for TCP and UDP.
func freePort() (port string, err error) {
	for range 16 {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
		var p net.PacketConn
		p, err = net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			p.Close()
			_, port, err = net.SplitHostPort(p.LocalAddr().String())
			return port, err
		}
	}
	return "", err
}
