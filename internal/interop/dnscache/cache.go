// Package dnscache starts the DNS caches of Linux distributions, unbound and dnsmasq, in front of another DNS server.
package dnscache

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Config is the configuration of a cache. All fields but Options are required.
type Config struct {
	Program  string         // "unbound" or "dnsmasq"
	Addr     netip.AddrPort // where it answers: an address of 127.0.0.0/8
	Upstream netip.AddrPort // the server that it asks
	Options  []string       // further lines of unbound.conf's server clause, or arguments of dnsmasq
}

// Cache is the process of a cache.
type Cache struct {
	Process *os.Process

	log   bytes.Buffer // read it only after ended is closed
	err   error        // of the process; set before ended is closed
	ended chan struct{}
}

// Start starts a cache and returns when it answers. The caller stops it. The error matches exec.ErrNotFound if the
// program is not installed.
func Start(c Config) (*Cache, error) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // unbound has read its configuration when it answers
	cmd, err := c.command(dir)
	if err != nil {
		return nil, err
	}
	cache := &Cache{ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &cache.log, &cache.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	cache.Process = cmd.Process
	go func() { // owned by cache; ends with the process, which Stop kills
		defer close(cache.ended)
		cache.err = cmd.Wait()
	}()
	if err := cache.awaitAnswer(c.Addr.String()); err != nil {
		cache.Stop()
		return nil, fmt.Errorf("%s: %w: %s", c.Program, err, cache.log.Bytes())
	}
	return cache, nil
}

// awaitAnswer waits until the cache answers a query.
func (c *Cache) awaitAnswer(addr string) error {
	probe := new(dns.Msg).SetQuestion("probe.invalid.", dns.TypeTXT)
	for range 500 {
		select {
		case <-c.ended:
			return errors.Join(errors.New("ended"), c.err)
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := dns.Exchange(probe, addr); err == nil {
			return nil
		}
	}
	return errors.New("does not answer")
}

// Stop kills the cache and waits for its end.
func (c *Cache) Stop() {
	_ = c.Process.Kill() // an error means that it has ended
	<-c.ended
}

// command returns the command that runs the cache in the foreground. It writes unbound's configuration to dir.
func (c Config) command(dir string) (*exec.Cmd, error) {
	switch c.Program {
	case "unbound":
		conf := filepath.Join(dir, "unbound.conf")
		text := fmt.Sprintf(unboundConf, c.Addr.Addr(), c.Addr.Port(), c.Upstream.Addr(), c.Upstream.Port(), strings.Join(c.Options, "\n\t"))
		return exec.Command("unbound", "-d", "-c", conf), os.WriteFile(conf, []byte(text), 0o600)
	case "dnsmasq":
		return exec.Command("dnsmasq", append([]string{
			"--keep-in-foreground", "--conf-file=/dev/null",
			"--listen-address=" + c.Addr.Addr().String(), fmt.Sprintf("--port=%d", c.Addr.Port()), "--bind-interfaces",
			"--no-resolv", "--no-hosts", fmt.Sprintf("--server=%s#%d", c.Upstream.Addr(), c.Upstream.Port()), "--cache-size=10000",
			"--user=root", "--pid-file=", "--log-facility=-",
		}, c.Options...)...), nil
	}
	return nil, fmt.Errorf("no cache %q", c.Program)
}

// unboundConf has one thread, as dnsmasq has, and validates nothing.
const unboundConf = `
server:
	num-threads: 1
	interface: %[1]s
	port: %[2]d
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	module-config: "iterator"
	username: ""
	chroot: ""
	pidfile: ""
	directory: "/"
	use-syslog: no
	do-daemonize: no
	%[5]s
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: %[3]s@%[4]d
`
