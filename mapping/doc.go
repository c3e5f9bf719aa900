// Package mapping holds the mapping table of RFC 3089: names, and the fake addresses that stand for
// them until a gateway is told the name.
//
// A [Table] gives a name one address of each family, out of two prefixes that nothing real uses. An
// application looks a name up, gets such an address, connects to it, and the address leads back to the
// name. Three rules keep that safe:
//
//   - An address never stands for two names. Addresses are handed out in order from a random start, so
//     one is not used again before the whole space has gone round, and never while it is mapped. One that
//     was evicted or flushed is [ErrStale], not another name.
//   - A pair that is in use stays. Whoever connects to an address holds a [Lease] on its pair, and a
//     name that was looked up keeps its addresses for [Config].Hold, so that they can be connected to.
//   - Memory is bounded. When [Config].Size names are held, one that is not in use makes room; when
//     all are in use, that is [ErrFull].
//
// Names are kept in one canonical form, so EXAMPLE.com. and example.com are one pair. That form is what
// the gateway is sent.
//
// [Table.Stats] counts what happens, and a [Trace] tells it.
//
// # Restarts
//
// An application may keep an address for longer than the table that gave it out lives. [Table.WriteTo] and [Read]
// carry the names that are held over to another table. Addresses that the snapshot does not have, because their
// names were evicted, flushed, or assigned after it was written, are ErrStale in the new table. But it does not
// know them, so it may give them to other names in time.
//
// To make that unlikely, it begins at a random place. Let n be the number of addresses of one family that the
// earlier table gave out and the snapshot does not have, m the number of names that the new table has given
// addresses to, and f the number of addresses that the snapshot leaves free: 2^28 − 2 less the names in it, with the
// default prefixes. The odds that the new table has given another name an address of the earlier one are at most
//
//	(n + m − 1) / f
//
// Both tables hand out addresses in order, so the n are neighbors among the f, and so are the m. Of the f places
// where the m may begin, each as likely as any other, n + m − 1 make the two overlap. After a thousand names on
// either side, that is once in 134,000 restarts; after a million, once in 134. If addresses of several earlier
// tables are in use, their odds add up. Without a snapshot, as after [New], the same is true of all addresses that an
// earlier table gave out.
package mapping
