// Package mapping holds the mapping table of RFC 3089, which pairs names with fake addresses. A fake address stands for
// its name inside the program; the gateway is sent the name.
//
// A [Table] gives a name one address of each family, from two prefixes that contain no real host. An application looks
// up a name, gets one of its addresses and connects to it, and the table translates the address back to the name. Three
// rules keep that safe:
//
//   - An address stands for one name. Addresses are handed out in order from a random start, so an address is handed
//     out again only after all others, and never while it is mapped. The address of a name that was evicted or flushed
//     is [ErrStale], not another name.
//   - A pair in use stays. A connection to an address holds a [Lease] on its pair, and a name that was looked up keeps
//     its addresses for [Config].Hold, so that the application can connect to them.
//   - Memory is bounded. When the table holds [Config].Size names, a name that is not in use is evicted for a new one;
//     if all are in use, the error is [ErrFull].
//
// Names have one canonical form, so EXAMPLE.com. and example.com share a pair. The gateway is sent the canonical form.
//
// [Table.Stats] counts the table's events, and a [Trace] reports them.
//
// # Restarts
//
// An application may keep an address after the process that handed it out has ended. [Table.WriteTo] writes a snapshot
// of a table, and [Read] makes a new table from it. A snapshot lacks the addresses of names that were evicted, flushed,
// or assigned after it was written. They are ErrStale in the new table. But the new table does not know them, so it may
// give them to other names later.
//
// To make that unlikely, the new table begins at a random address. Let n be the number of addresses of one family that
// the earlier table handed out and the snapshot lacks, m the number of names that the new table has given addresses to,
// and f the number of addresses that the snapshot leaves free: with the default prefixes, 2^28 − 2 less the names in it.
// The probability that the new table has given an address of the earlier one to another name is at most
//
//	(n + m − 1) / f
//
// Both tables hand out addresses in order, so the n addresses are a run of the f free ones, and so are the m. The second
// run begins at each of the f with the same probability, and overlaps the first from n + m − 1 of them. After a thousand
// names on either side, that is once in 134,000 restarts; after a million, once in 134. The probabilities of several
// earlier tables add up. Without a snapshot, as after [New], n counts all addresses that the earlier table handed out.
package mapping
