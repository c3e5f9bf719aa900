package mapping

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// index finds a pair by its name: open addressing, in groups of one cache line, with eight bits of the
// hash beside each pair, so that hardly any other name is ever compared. Changed under Table.mu; get and find
// need no lock, but without it may miss what has just come, and find what has just gone.
type index struct {
	seed   maphash.Seed
	shards [64]shard
}

// shard is a part of the index that grows alone, so that no Assign waits for all of it to be copied.
type shard struct {
	groups atomic.Pointer[[]group] // nil: none
	live   int                     // cells with a pair
	used   int                     // and those removed
}

const groupLen = 7

// group has a tag for each pair, from the lowest octet on. The highest is of none, and stays empty.
type group struct {
	tags  atomic.Uint64
	pairs [groupLen]atomic.Pointer[pair]
}

const (
	empty   = 0
	removed = 1
	tags    = 2 // the first one of a pair
)

// hash is that of a name in the index. What may be an address has another one than its text alone gives.
func (x *index) hash(name string) uint64 {
	hash := x.plainHash(name)
	if maybeAddr(name) {
		return ^hash
	}
	return hash
}

// plainHash is hash for what is no address.
func (x *index) plainHash(name string) uint64 { return maphash.String(x.seed, name) }

func (x *index) init() { x.seed = maphash.MakeSeed() }

// clear empties the index.
func (x *index) clear() {
	for i := range x.shards {
		s := &x.shards[i]
		s.groups.Store(nil)
		s.live, s.used = 0, 0
	}
}

func (x *index) shard(hash uint64) *shard { return &x.shards[hash>>58] }

// all returns the groups of a shard.
func (s *shard) all() []group {
	if groups := s.groups.Load(); groups != nil {
		return *groups
	}
	return nil
}

// tag is made of bits that neither shard nor home uses.
func tag(hash uint64) uint8 { return max(uint8(hash>>32), tags) }

// home is the one of n groups where the search for a hash begins.
func home(hash uint64, n int) int { return int(uint64(uint32(hash)) * uint64(n) >> 32) }

// next is the group where the search goes on.
func next(g, n int) int {
	if g++; g < n {
		return g
	}
	return 0
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x0080808080808080 // but for the tag of none
)

// match sets the highest bit of each tag in word that is tag. Above one that is, it may do so for one more.
func match(word uint64, tag uint8) uint64 {
	zero := word ^ uint64(tag)*lowBits
	return (zero - lowBits) &^ zero & highBits
}

// first is the cell of the lowest tag that matches; there is one.
func first(match uint64) int { return bits.TrailingZeros64(match) / 8 }

// full reports whether a search for what is not in the group goes on in the next.
func (g *group) full() bool { return match(g.tags.Load(), empty) == 0 }

func (g *group) tag(i int) uint8 { return uint8(g.tags.Load() >> (8 * i)) }

func (g *group) setTag(i int, tag uint8) {
	g.tags.Store(g.tags.Load()&^(0xff<<(8*i)) | uint64(tag)<<(8*i))
}

// get returns the pair of a name that is no address, or nil. Nearly always that is the first one in the first
// group that has the tag. To look at no more than that is so little that a processor begins with what comes next
// while this waits for memory.
func (x *index) get(name string) *pair {
	hash := x.plainHash(name)
	groups := x.shard(hash).all()
	if len(groups) == 0 {
		return nil
	}
	group := &groups[home(hash, len(groups))]
	if m := match(group.tags.Load(), tag(hash)); m != 0 {
		if p := group.pairs[first(m)].Load(); p != nil && p.is(name) {
			return p
		}
	}
	return search(groups, hash, name)
}

// find returns the pair of a name, or nil.
func (x *index) find(hash uint64, name string) *pair { return search(x.shard(hash).all(), hash, name) }

func search(groups []group, hash uint64, name string) *pair {
	for g := home(hash, len(groups)); g < len(groups); g = next(g, len(groups)) {
		group := &groups[g]
		word := group.tags.Load()
		for m := match(word, tag(hash)); m != 0; m &= m - 1 {
			if p := group.pairs[first(m)].Load(); p != nil && p.is(name) {
				return p
			}
		}
		if match(word, empty) != 0 {
			break
		}
	}
	return nil
}

// insert adds a pair whose name is not there.
func (x *index) insert(hash uint64, p *pair) {
	s := x.shard(hash)
	groups := s.all()
	if (s.used+1)*8 > len(groups)*groupLen*7 {
		groups = x.rebuild(s)
	}
	s.place(groups, hash, p)
}

// place puts a pair into the first cell for it that is free.
func (s *shard) place(groups []group, hash uint64, p *pair) {
	for g := home(hash, len(groups)); ; g = next(g, len(groups)) {
		group := &groups[g]
		for i := range groupLen {
			is := group.tag(i)
			if is > removed {
				continue
			}
			if is == empty {
				s.used++
			}
			s.live++
			group.pairs[i].Store(p)
			group.setTag(i, tag(hash))
			return
		}
	}
}

// rebuild clears a shard of removed cells, and makes it larger by half when those were not the reason
// that it is full. Who searches the old groups finds what they had.
func (x *index) rebuild(s *shard) []group {
	old := s.all()
	n := len(old)
	if s.live*8 >= n*groupLen*5 {
		n += n/2 + 1
	}
	groups := make([]group, n)
	s.live, s.used = 0, 0
	for g := range old {
		for i := range old[g].pairs {
			if p := old[g].pairs[i].Load(); p != nil {
				s.place(groups, x.hash(p.name()), p)
			}
		}
	}
	s.groups.Store(&groups)
	return groups
}

// remove takes a pair out. Its cell may become empty when its group has an empty one anyway, because no
// search went on past that.
func (x *index) remove(p *pair) {
	hash := x.hash(p.name())
	s := x.shard(hash)
	groups := s.all()
	for g := home(hash, len(groups)); ; g = next(g, len(groups)) {
		group := &groups[g]
		for i := range groupLen {
			if group.pairs[i].Load() != p {
				continue
			}
			s.live--
			group.setTag(i, removed)
			if !group.full() {
				group.setTag(i, empty)
				s.used--
			}
			group.pairs[i].Store(nil)
			return
		}
	}
}
