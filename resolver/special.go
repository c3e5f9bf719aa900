package resolver

import "github.com/sockslib/sockslib/internal/names"

// meaning is what a name stands for.
type meaning int

const (
	ordinary    meaning = iota // whatever the gateway says
	ownHost                    // loopback, without a lookup
	absent                     // there is no such name
	addressless                // the name exists and has no addresses
	hidden                     // gets a fake; no DNS is ever asked about it
)

// specialNames are the names that are not names in the DNS, each with all below it. The other names of IANA's
// registry of special-use names, and local, where Kubernetes lives, are names like any other.
var specialNames = [...]struct {
	domain string
	means  meaning
}{
	{"localhost", ownHost},              // RFC 6761, section 6.3
	{"invalid", absent},                 // RFC 6761, section 6.4
	{"onion", hidden},                   // RFC 7686: the gateway may be Tor
	{"ipv4only.arpa", addressless},      // RFC 7050: there is no NAT64 here to be found
	{"resolver.arpa", addressless},      // RFC 9462: no other resolver is to be found either
	{"use-application-dns.net", absent}, // canaries: their absence says that this resolver is to be used
	{"mask.icloud.com", absent},
	{"mask-h2.icloud.com", absent},
}

// meaningOf returns what a name in canonical form stands for.
func meaningOf(name string) meaning {
	for i := range specialNames {
		if names.Within(name, specialNames[i].domain) {
			return specialNames[i].means
		}
	}
	return ordinary
}
