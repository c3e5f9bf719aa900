//go:build linux

package netns

import (
	"net/netip"
	"testing"
)

// name is the destination's, and nobody but the last gateway knows it.
const name = "destination.test"

// forms are the ways in which an application says the destination.
var forms = []struct {
	name    string
	literal bool // the destination's address, otherwise its name
	lookup  bool // asked a resolver for, before it is used
	either  bool // the application's networks are "tcp" and "udp", without a digit
}{
	{name: "name"},
	{name: "fake address", lookup: true},
	{name: "literal", literal: true},
	{name: "literal looked up", literal: true, lookup: true},
	{name: "literal of either family", literal: true, either: true},
}

// each runs f for every command by every form, of an application that has addresses of one family.
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
