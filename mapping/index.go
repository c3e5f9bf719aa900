package mapping

import "hash/maphash"

// index finds a pair by its name. It is changed under Table.mu; get and find take no lock.
type index struct {
	seed   maphash.Seed
	shards [1 << shardBits]set // each grows separately, so that an Assign moves the names of one shard at most
}

// shardBits bounds the time that it takes to grow a shard: with a million names, a shard has 1,000.
const shardBits = 10

func (x *index) init() { x.seed = maphash.MakeSeed() }

// hash returns the hash of a name in the index. For text that may be an address, hash differs from the hash of the text,
// so get never finds it. findOrAdd must handle addresses, because an address of the requested family is not a name.
func (x *index) hash(name string) uint64 {
	hash := maphash.String(x.seed, name)
	if maybeAddr(name) {
		return ^hash
	}
	return hash
}

func (x *index) hashOf(p *pair) uint64 { return x.hash(p.name()) }

func (x *index) shard(hash uint64) *set { return &x.shards[hash>>(64-shardBits)] }

// get returns the pair of a name, or nil if the table has none or the name is an address.
func (x *index) get(name string) *pair {
	hash := maphash.String(x.seed, name)
	if p := x.shard(hash).likely(hash); p != nil && p.name() == name {
		return p
	}
	return x.find(hash, name)
}

// find returns the pair of a name that has the given hash, or nil.
func (x *index) find(hash uint64, name string) *pair {
	return x.shard(hash).find(hash, func(p *pair) bool { return p.name() == name })
}

// insert adds a pair whose name the index does not have.
func (x *index) insert(hash uint64, p *pair) { x.shard(hash).insert(hash, p, x.hashOf) }

// remove removes a pair that the index has.
func (x *index) remove(p *pair) {
	hash := x.hashOf(p)
	x.shard(hash).remove(hash, p)
}

// clear removes all pairs.
func (x *index) clear() {
	for i := range x.shards {
		x.shards[i].clear()
	}
}
