package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sockslib/sockslib/internal/bench/servers"
	"github.com/sockslib/sockslib/internal/interop/dnscache"
)

// dnsCache is a DNS cache of the system's packages that holds the answers to all queries of the load.
type dnsCache struct {
	*dnscache.Cache
	addr string
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
	at, err := freeAddr()
	if err != nil {
		return nil, err
	}
	c, err := dnscache.Start(dnscache.Config{Program: program, Addr: at, Upstream: netip.MustParseAddrPort(upstream)})
	if err != nil {
		return nil, err
	}
	if err := floodBy(at.String(), queries, len(queries)); err != nil {
		c.Stop()
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return &dnsCache{c, at.String()}, nil
}

// used returns the processor time that all threads of the cache have used.
func (c *dnsCache) used() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.Process.Pid))
	if err != nil || len(files) == 0 {
		return 0, errors.Join(fmt.Errorf("no processor time of process %d", c.Process.Pid), err)
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

// freeAddr returns an address of loopback that is free for TCP and UDP.
func freeAddr() (netip.AddrPort, error) {
	for range 16 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return netip.AddrPort{}, err
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			p.Close()
			return netip.ParseAddrPort(p.LocalAddr().String())
		}
	}
	return netip.AddrPort{}, errors.New("no port is free for both TCP and UDP")
}
