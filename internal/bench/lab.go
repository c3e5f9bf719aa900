package main

import (
	"fmt"
	"os"

	"github.com/sockslib/sockslib/internal/bench/link"
	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/bench/servers"
)

// lab is the environment of the measurements. It owns the processes that it has started.
type lab struct {
	quick    bool
	isolated bool // this process has its own network namespace
	near     *servers.Addrs
	children []*child
}

// section is one part of the measurements.
type section struct {
	name string
	run  func(*lab) (*report.Section, error)
}

// sections are in the order of the document. The last section leaves the most garbage.
var sections = []section{
	{"trips", trips},
	{"chain", chain},
	{"dial", dial},
	{"rate", rate},
	{"spare", spare},
	{"bulk", bulk},
	{"udp", udp},
	{"http3", http3},
	{"lookup", lookup},
	{"dns", dnsServer},
	{"fairness", fairness},
	{"table", table},
}

// pick returns full, or quick in a quick run.
func (l *lab) pick(full, quick int) int {
	if l.quick {
		return quick
	}
	return full
}

// servers returns the addresses of the servers on loopback, which it starts if necessary.
func (l *lab) servers() (*servers.Addrs, error) {
	if l.near != nil {
		return l.near, nil
	}
	var a servers.Addrs
	if err := l.start(roleServers, &a); err != nil {
		return nil, err
	}
	l.near = &a
	return l.near, nil
}

func (l *lab) start(role string, hello any) error {
	_, err := l.child(role, hello)
	return err
}

// child starts a process that ends with the lab.
func (l *lab) child(role string, hello any) (*child, error) {
	c, err := start(role, hello, nil)
	if err == nil {
		l.children = append(l.children, c)
	}
	return c, err
}

// distance is a process of servers behind a delay.
type distance struct {
	*child
	addrs servers.Addrs
	// missing is the number of round trips per connection that are not delayed: 1, TCP's handshake, behind a
	// relay, and 0 behind a link.
	missing float64
}

// distant starts servers behind a link, or behind relays if a link cannot be made.
func (l *lab) distant() (*distance, error) {
	var d distance
	near, err := openLink(l.isolated)
	if err == nil {
		d.child, err = start(roleDistant, &d.addrs, near)
		near.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "delaying by relays, because there is no link between namespaces:", err)
		d.missing = 1
		d.child, err = start(roleDelayed, &d.addrs, nil)
	}
	return &d, err
}

func openLink(isolated bool) (*os.File, error) {
	if !isolated {
		return nil, fmt.Errorf("no network namespace")
	}
	return link.Open(link.Near)
}

func (l *lab) close() {
	for _, c := range l.children {
		c.stop()
	}
}
