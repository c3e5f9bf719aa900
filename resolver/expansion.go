package resolver

import (
	"strings"

	"github.com/sockslib/sockslib/internal/names"
)

// A stub appends the domains of its search list to what was typed, and believes the first name that exists. Where
// every name exists, db would become db.corp.example. What a question for a host is answered with is therefore
// decided by the question and the list alone, for all types that a lookup of addresses asks for (A, AAAA, HTTPS,
// SVCB, ANY). Let X be the question without a search domain D at its end:
//
//	question                                         answer
//	is Direct, or a name that is not a name          what System or specialNames say; the caller asks them first
//	no D at its end (at least one label, a dot, D)   its own fake
//	some X is or ends in a search domain, or ends    the fake of X, of the first such D in the list: the stub walks
//	in onion                                         its list for a name that was typed in full
//	some X is a name that is not a name, or Direct   no such host: the stub has been told about X already, or
//	                                                 goes on to it
//	every X has ndots dots or more                   its own fake: a stub that had X would have asked for X first
//	otherwise                                        no such host: the stub goes on to X
//
// So every stub that walks its list reaches the name that was typed. With Resolver.Verify what exists decides, and
// only the row of onion stays, which package net never asks for as it is.

// typed returns the name whose fake answers a question for q, a name in canonical form, or else the search domain
// for which q is denied. settled reports whether a name is answered without a fake.
func (l *searchList) typed(q string, settled func(x string) bool) (name, denied string) {
	for _, d := range l.domains {
		if !names.Below(q, d) {
			continue
		}
		x := q[:len(q)-len(d)-1]
		if names.Within(x, "onion") || l.searched(x) {
			return x, ""
		}
		if denied == "" && (l.short(x) || settled(x)) {
			denied = d
		}
	}
	if denied != "" {
		return "", denied
	}
	return q, ""
}

// onion returns the name below onion of which q is an expansion, else q.
func (l *searchList) onion(q string) string {
	for _, d := range l.domains {
		if names.Below(q, d) && names.Within(q[:len(q)-len(d)-1], "onion") {
			return q[:len(q)-len(d)-1]
		}
	}
	return q
}

// searched reports whether a name is a search domain or ends in one.
func (l *searchList) searched(name string) bool {
	for _, d := range l.domains {
		if names.Within(name, d) {
			return true
		}
	}
	return false
}

// short reports whether a name has too few dots to be asked as it is first.
func (l *searchList) short(name string) bool { return strings.Count(name, ".") < l.ndots }
