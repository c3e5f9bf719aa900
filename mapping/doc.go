// Package mapping holds the mapping table of RFC 3089: names, and the fake addresses that stand for
// them until a gateway is told the name.
//
// A [Table] gives a name one address of each family, out of two prefixes that nothing real uses. An
// application looks a name up, gets such an address, connects to it, and the address leads back to the
// name. Three rules keep that safe:
//
//   - An address never stands for two names. Addresses are handed out in order from a random start, so
//     one is not used again before the whole space has gone round, and never while it is mapped. What
//     was evicted, flushed, or given out by an earlier run is [ErrStale], not another name.
//   - A pair that is in use stays. Whoever connects to an address holds a [Lease] on its pair, and a
//     name that was looked up keeps its addresses for [Config].Hold, so that they can be connected to.
//   - Memory is bounded. When [Config].Size names are held, the one unused for longest makes room; when
//     all are in use, that is [ErrFull].
//
// Names are kept in one canonical form, so EXAMPLE.com. and example.com are one pair. That form is what
// the gateway is sent.
//
// [Table.Stats] counts what happens, and a [Trace] tells it.
package mapping
