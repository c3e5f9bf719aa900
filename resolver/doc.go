// Package resolver answers name lookups from a mapping table, so that no name is looked up on the machine where the
// program runs. A lookup registers the name in the table and returns a fake address of the family that was asked for,
// whatever family the destination has (RFC 3089, section 2). Dialing that address through the gateway reaches the name.
//
//	r := &resolver.Resolver{Table: d.Table} // d is a *dialer.Dialer
//	addrs, err := r.LookupHost(ctx, "db.example")
//	…
//	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(addrs[0], "5432")) // reaches db.example
//
// There are three ways to look up a name:
//
//	Resolver              has the methods of *net.Resolver, directly on the table
//	Resolver.NetResolver  is a *net.Resolver, for APIs that want that type
//	Server                is a DNS server, for other programs and other machines
//
// # Search lists
//
// A stub resolver appends the domains of its search list to the name that was typed, and uses the first result that
// exists. If every name existed, db would become db.corp.example, and in a Kubernetes pod example.com would become
// example.com.default.svc.cluster.local. The Lookup methods never expand a name. [Resolver.NetResolver] and [Server] know
// the stub's list, and decide by the question and the list alone. If a name may be the expansion of a shorter one, the
// answer is that it does not exist, and the stub goes on to the shorter name. If the user typed a name that ends in a
// search domain, the stub gets its address when it asks for that name with one more search domain appended. Every stub
// that walks its list gets the address of the name that was typed.
//
// A client that does not walk its list cannot reach every name that ends in a search domain: if the name without the
// domain has fewer dots than ndots, as db.corp.example has, the client is told that there is no such host. Such clients
// are
//
//   - those that have no list, or do not use it: dig and the like, nginx, a name typed with a trailing dot;
//   - musl's stub, for names with ndots dots or more.
//
// For them, set [Server].Search to an empty list if no client walks one, use the Lookup methods in place of NetResolver,
// or set [Resolver].Verify, so that a name exists if Upstream knows it. No client reaches a name that ends in two search
// domains one after the other (db.corp.example.corp.example), because such a name is taken for an expansion. LookupCNAME
// of NetResolver returns the last name that package net asked for, since there are no aliases.
//
// # Special names
//
// Some names, and all names below them, have a fixed meaning for the Lookup methods, NetResolver and Server: localhost is
// loopback; invalid, use-application-dns.net, mask.icloud.com and mask-h2.icloud.com do not exist; ipv4only.arpa and
// resolver.arpa have no addresses; onion gets a fake. Direct, System and Upstream are never asked about them.
package resolver
