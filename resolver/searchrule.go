package resolver

import (
	"strings"

	"github.com/sockslib/sockslib/internal/names"
)

// The search rule. A stub appends the domains of its search list to the name that was typed, and uses the first result
// that exists. If every name existed, db would become db.corp.example. So the response to a question for a host depends on
// the question and the list alone, for all types that a lookup of addresses asks for (A, AAAA, HTTPS, SVCB, ANY). If the
// name in question is X.D, where D is a search domain, it may be the stub's expansion of X. There may be several such D.
// The first row that applies gives the response:
//
//	name in question                                  response
//	is Direct, or in specialNames                     from System or specialNames; the caller checks this first
//	is X.D for no D                                   its own fake
//	is X.D, and X is a search domain, ends in one,    the fake of X, for the first such D in the list: X was typed in
//	or is below onion                                 full, and the stub walks its list for it
//	is X.D, and X is in specialNames or Direct        no such host: the stub has asked for X already, or goes on to X
//	is X.D, and each such X has ndots dots or more    its own fake: a stub that expands X would have asked for X first
//	otherwise                                         no such host: the stub goes on to X
//
// So every stub that walks its list reaches the name that was typed. With Resolver.Verify, Upstream knows which names
// exist. Then only the part about onion applies: package net never asks for an onion name as it was typed, only for its
// expansions.

// typed applies the search rule to q, a name in canonical form. It returns the name whose fake answers the question; if
// the response is no such host, it returns the search domain at the end of q as denied. isSpecial reports whether a name is
// Direct or in specialNames.
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

// onion applies the search rule's row of onion to q: it returns the name below onion that q may be an expansion of, or q if
// there is none.
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
