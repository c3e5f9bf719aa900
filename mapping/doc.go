// Package mapping holds the mapping table of RFC 3089: names, and the fake addresses that stand for them until the
// gateway is told the name.
//
// A [Table] gives a name one address of each family, from two prefixes in which no real host is. An application looks
// a name up, gets such an address and connects to it, and the address leads back to the name. Three rules keep that
// safe:
//
//   - An address never stands for two names. Addresses are handed out in order from a random start, so an address is
//     not used again before the whole space has gone round, and never while it is mapped. The address of a name that
//     was evicted or flushed is [ErrStale], not another name.
//   - A pair in use stays. A connection to an address holds a [Lease] on its pair, and a name that was looked up keeps
//     its addresses for [Config].Hold, so that the application can connect to them.
//   - Memory is bounded. When the table holds [Config].Size names, a name that is not in use is evicted for a new one;
//     if all are in use, the error is [ErrFull].
//
// Names have one canonical form, so EXAMPLE.com. and example.com are one pair. The gateway is sent that form.
//
// [Table.Stats] counts the table's events, and a [Trace] reports them.
//
// # Restarts
//
// An application may keep an address for longer than the process lives that gave it out. [Table.WriteTo] and [Read]
// carry the names of a table over to another one. Addresses that the snapshot lacks, because their names were evicted,
// flushed, or assigned after it was written, are ErrStale in the new table. But the new table does not know them, so it
// may give them to other names later.
//
// To make that unlikely, it begins at a random place. Let n be the number of addresses of one family that the
// earlier table gave out and the snapshot lacks, m the number of names that the new table has given addresses to, and f
// the number of addresses that the snapshot leaves free: 2^28 − 2 less the names in it, with the default prefixes. The
// odds that the new table has given an address of the earlier one to another name are at most
//
//	(n + m − 1) / f
//
// Both tables hand out addresses in order, so the n are neighbors among the f, and so are the m. Of the f places
// where the m may begin, each as likely as any other, n + m − 1 make the two overlap. After a thousand names on
// either side, that is once in 134,000 restarts; after a million, once in 134. If addresses of several earlier
// tables are in use, their odds add up. Without a snapshot, as after [New], the same holds for all addresses that an
// earlier table gave out.
package mapping
