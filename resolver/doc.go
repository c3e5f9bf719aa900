// Package resolver answers name lookups from a mapping table, so that no name is looked up on the machine where the
// program runs. The table registers the name and gives it a fake address of the family that was asked for, whatever
// family the destination has (RFC 3089, section 2). Dialing that address through the gateway leads to the name.
//
//	r := &resolver.Resolver{Table: d.Table} // d is a *dialer.Dialer
//	addrs, err := r.LookupHost(ctx, "db.example")
//	…
//	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(addrs[0], "5432")) // reaches db.example
//
// It has three entrances, for three kinds of callers:
//
//	Resolver              the methods of *net.Resolver, directly on the table
//	Resolver.NetResolver  a real *net.Resolver, for APIs that want that type
//	Server                a DNS server, for other programs and other machines
//
// # Search lists
//
// A stub resolver appends the domains of its search list to the name that was typed, and uses the first result that
// exists. Where every name exists, db becomes db.corp.example, and in a Kubernetes pod example.com becomes
// example.com.default.svc.cluster.local. The Lookup methods never expand a name. [Resolver.NetResolver] and [Server]
// know the stub's list, and decide by the question and the list alone: a name that may be the expansion of a shorter
// one does not exist, so that the stub goes on to the shorter one; a name that ends in a search domain is answered when
// the stub asks for it with a search domain appended. Every stub that walks its list gets the address of the name that
// was typed.
//
// A client that does not walk its list cannot reach a name that ends in a search domain and has, without it,
// fewer dots than ndots: for db.corp.example it is told that there is no such host. Such clients are
//
//   - those that have no list, or do not use it: dig and the like, nginx, a name typed with a trailing dot;
//   - musl's stub, for names with ndots dots or more.
//
// For them, set [Server].Search to an empty list if no client walks one, use the Lookup methods in place of NetResolver,
// or set [Resolver].Verify, with which the existing names decide. No client reaches a name that ends in two search
// domains one after the other (db.corp.example.corp.example): it is taken for the expansion. LookupCNAME of NetResolver
// returns the last name that package net asked for, since there are no aliases.
//
// # Special names
//
// The Lookup methods, NetResolver and Server treat some names specially, each with the names below it: localhost is
// loopback; invalid, use-application-dns.net, mask.icloud.com and mask-h2.icloud.com do not exist; ipv4only.arpa and
// resolver.arpa have no addresses; onion gets a fake. Direct, System and Upstream are never asked about them.
package resolver
