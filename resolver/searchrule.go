package resolver

import (
	"strings"

	"github.com/sockslib/sockslib/internal/names"
)

// The search rule. A stub appends the domains of its search list to the name that was typed, and uses the first result
// that exists. Where every name exists, db would become db.corp.example. So the response to a question for a host
// depends on the question and the list alone, for all types that a lookup of addresses asks for (A, AAAA, HTTPS, SVCB,
// ANY). Let X be the name in question without a search domain D at its end:
//
//	name in question                                 response
//	is Direct, or in specialNames                    from System or specialNames; the caller checks this first
//	no D at its end (at least one label, a dot, D)   its own fake
//	some X is or ends in a search domain, or ends    the fake of X, of the first such D in the list: the stub walks
//	in onion                                         its list for a name that was typed in full
//	some X is in specialNames, or is Direct          no such host: the stub has been told about X already, or
//	                                                 goes on to it
//	every X has ndots dots or more                   its own fake: a stub that had X would have asked for X first
//	otherwise                                        no such host: the stub goes on to X
//
// So every stub that walks its list reaches the name that was typed. With Resolver.Verify the existing names decide, and
// only the row of onion stays, because package net never asks for an onion name itself.

// typed returns the name whose fake answers a question for q, a name in canonical form. If q must be denied, typed
// returns the search domain at its end instead. isSpecial reports whether a name is Direct or in specialNames.
func (l *searchList) typed(q string, isSpecial func(x string) bool) (name, denied string) {
	for _, d := range l.domains {
		if !names.Below(q, d) {
			continue
		}
		x := q[:len(q)-len(d)-1]
		if names.Within(x, "onion") || l.endsInDomain(x) {
			return x, ""
		}
		if denied == "" && (l.short(x) || isSpecial(x)) {
			denied = d
		}
	}
	if denied != "" {
		return "", denied
	}
	return q, ""
}

// onion returns the name below onion of which q is an expansion, otherwise q.
func (l *searchList) onion(q string) string {
	for _, d := range l.domains {
		if names.Below(q, d) && names.Within(q[:len(q)-len(d)-1], "onion") {
			return q[:len(q)-len(d)-1]
		}
	}
	return q
}

// endsInDomain reports whether a name is a search domain or ends in one.
func (l *searchList) endsInDomain(name string) bool {
	for _, d := range l.domains {
		if names.Within(name, d) {
			return true
		}
	}
	return false
}

// short reports whether a name has too few dots for a stub to ask for it before its expansions.
func (l *searchList) short(name string) bool { return strings.Count(name, ".") < l.ndots }
