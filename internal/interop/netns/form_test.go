//go:build linux

package netns

import (
	"net/netip"
	"testing"
)

// name is the destination's name, which only the last gateway knows.
const name = "destination.test"

// forms are the ways in which an application gives the destination.
var forms = []struct {
	name    string
	literal bool // as its address, otherwise as its name
	lookup  bool // looked up by a resolver first
	either  bool // on the networks "tcp" and "udp", without a digit
}{
	{name: "name"},
	{name: "fake address", lookup: true},
	{name: "literal", literal: true},
	{name: "literal looked up", literal: true, lookup: true},
	{name: "literal of either family", literal: true, either: true},
}

// each runs f for every command and form, for an application that has addresses of one family.
func each(t *testing.T, application families, target netip.Addr, f func(*testing.T, Ask)) {
	for _, command := range commands {
		for _, form := range forms {
			a := Ask{Command: command, Family: application.digit(), Host: name, Lookup: form.lookup}
			if form.literal {
				a.Host = target.String()
			}
			if form.either {
				a.Family = ""
			}
			t.Run(command+"/"+form.name, func(t *testing.T) { f(t, a) })
		}
	}
}
