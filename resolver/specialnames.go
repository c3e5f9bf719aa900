package resolver

import "github.com/sockslib/sockslib/internal/names"

// meaning tells how a name is resolved.
type meaning int

const (
	ordinary    meaning = iota // by the gateway
	ownHost                    // as loopback
	absent                     // not at all: there is no such name
	addressless                // to no address, although the name exists
	hidden                     // by the gateway, and no DNS may be asked about it
)

// specialNames are the domains that do not resolve like others, each with all names below it. All other domains of
// IANA's registry of special-use names, and local, which Kubernetes uses, are ordinary.
var specialNames = [...]struct {
	domain string
	means  meaning
}{
	{"localhost", ownHost},              // RFC 6761, section 6.3
	{"invalid", absent},                 // RFC 6761, section 6.4
	{"onion", hidden},                   // RFC 7686: the gateway may be Tor
	{"ipv4only.arpa", addressless},      // RFC 7050: there is no NAT64 to discover here
	{"resolver.arpa", addressless},      // RFC 9462: there is no other resolver to discover
	{"use-application-dns.net", absent}, // canaries: without them, applications use this resolver
	{"mask.icloud.com", absent},
	{"mask-h2.icloud.com", absent},
}

// meaningOf returns the meaning of a name in canonical form.
func meaningOf(name string) meaning {
	for i := range specialNames {
		if names.Within(name, specialNames[i].domain) {
			return specialNames[i].means
		}
	}
	return ordinary
}
