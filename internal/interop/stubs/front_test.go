package stubs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
)

const (
	nameserver = "127.0.0.53" // in resolv.conf
	behind     = "127.0.0.2"  // of the Server behind a cache
)

// fronts are the servers that the stubs ask, each with the program that it needs.
var fronts = map[string]string{
	"none":    "", // NetResolver needs no server
	"server":  "",
	"unbound": "unbound",
	"dnsmasq": "dnsmasq",
}

const unboundConf = `
server:
	interface: 127.0.0.53
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	module-config: "iterator"
	num-queries-per-thread: 8192
	so-rcvbuf: 4m
	outgoing-range: 16384
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
	forward-addr: 127.0.0.2
`

// startFront starts a Server, and the cache that the stubs ask.
func startFront(front string, table *mapping.Table) (stop func(), err error) {
	if front == "none" {
		return func() {}, nil
	}
	at := nameserver
	if front != "server" {
		at = behind
	}
	listening := make(chan net.Addr, 1)
	s := &resolver.Server{Resolver: &resolver.Resolver{Table: table}, Listening: func(a net.Addr) { listening <- a }}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe(context.Background(), net.JoinHostPort(at, "53")) }() // ends with the process
	select {
	case <-listening:
	case err := <-ended:
		return nil, err
	}
	var cmd *exec.Cmd
	switch front {
	case "server":
		return func() {}, nil
	case "unbound":
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) // unbound has read it when it answers
		conf := filepath.Join(dir, "unbound.conf")
		if err := os.WriteFile(conf, []byte(unboundConf), 0o644); err != nil {
			return nil, err
		}
		cmd = exec.Command("unbound", "-d", "-c", conf)
		return startCache(cmd)
	case "dnsmasq":
		cmd = exec.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--listen-address="+nameserver, "--bind-interfaces",
			"--no-resolv", "--no-hosts", "--server="+behind, "--neg-ttl=60", "--cache-size=10000", "--dns-forward-max=10000",
			"--user=root", "--pid-file=", "--log-facility=-")
		return startCache(cmd)
	default:
		return nil, fmt.Errorf("no front %q", front)
	}
}

// startCache starts a cache and waits until it answers.
func startCache(cmd *exec.Cmd) (stop func(), err error) {
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the cache, which stop kills
	stop = func() {
		cmd.Process.Kill()
		<-ended
	}
	probe := new(dns.Msg).SetQuestion("probe.invalid.", dns.TypeTXT)
	for range 500 {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("%s: %w: %s", cmd.Args[0], err, log.Bytes())
		default:
		}
		if _, err := dns.Exchange(probe, net.JoinHostPort(nameserver, "53")); err == nil {
			return stop, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return nil, errors.New(cmd.Args[0] + " does not answer: " + log.String())
}
