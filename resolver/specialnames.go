package resolver

import "github.com/sockslib/sockslib/internal/names"

// meaning is how a name is resolved.
type meaning int

const (
	ordinary    meaning = iota // it gets a fake, and the gateway resolves it
	ownHost                    // it has the loopback addresses
	absent                     // it does not exist
	addressless                // it exists and has no address
	hidden                     // as ordinary, but no DNS server may be asked about it
)

// specialNames are the domains that are not ordinary; all names below a domain have its meaning. All other domains of
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
	{"use-application-dns.net", absent}, // canaries: if they do not exist, applications use this resolver
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
