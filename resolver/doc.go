// Package resolver answers name lookups from a mapping table, so that no name is ever looked up where
// the program runs: the name is registered, and a fake address of the asked family comes back, whatever
// family the destination has (RFC 3089, section 2). Dialing that address through the gateway leads to
// the name.
//
//	r := &resolver.Resolver{Table: d.Table} // d is a *dialer.Dialer
//	addrs, err := r.LookupHost(ctx, "db.example")
//	…
//	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(addrs[0], "5432")) // reaches db.example
//
// Three hooks, for three kinds of callers:
//
//	Resolver              the methods of *net.Resolver, straight on the table
//	Resolver.NetResolver  a real *net.Resolver, for APIs that want that type
//	Server                a DNS server, for other programs and other machines
//
// # Search lists
//
// A stub resolver appends the domains of its search list to what was typed, and believes the first of
// them that exists. Where every name exists, db becomes db.corp.example. The Lookup methods never
// expand a name. NetResolver and Server see only what the stub asks, but they know its list; where
// a question may be an expansion they say that there is no such host until the stub's next
// question tells what was typed, and answer that one with the address of the typed name. So some
// lookups find no host there, all of them of names that end in a search domain:
//
//   - a name typed with a trailing dot that is also the first expansion of a shorter name
//     (db.corp.example. where corp.example is searched first): nothing tells one from the other;
//   - a name that is a possible first expansion, from a stub that never walks its list for names with
//     ndots dots or more (musl's);
//   - a name that the same client asks for at the very moment at which it asks for another one of which
//     the first is an expansion: that is a temporary error, for two seconds. A moment is five milliseconds
//     from when the stub has what it waits for, and more on a busy machine; a stub that takes longer from
//     there to its next question is not noticed.
//
// The Lookup methods take all of them.
package resolver
