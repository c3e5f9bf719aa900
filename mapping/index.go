package mapping

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// index finds a pair by its name: open addressing, in groups of one cache line, with eight bits of the
// hash beside each pair, so that hardly any other name is ever compared. Guarded by Table.mu.
type index struct {
	seed   maphash.Seed
	shards [64]shard
}

// shard is a part of the index that grows alone, so that no Assign waits for all of it to be copied.
type shard struct {
	groups []group
	live   int // cells with a pair
	used   int // and those removed
}

const groupLen = 7

// group has a tag for each pair. The last tag is of none, and stays empty.
type group struct {
	tags  [groupLen + 1]uint8
	pairs [groupLen]*pair
}

const (
	empty   = 0
	removed = 1
	tags    = 2 // the first one of a pair
)

func (x *index) hash(name string) uint64 { return maphash.String(x.seed, name) }

// clear empties the index.
func (x *index) clear() { *x = index{seed: maphash.MakeSeed()} }

func (x *index) shard(hash uint64) *shard { return &x.shards[hash>>58] }

// tag is made of bits that neither shard nor home uses.
func tag(hash uint64) uint8 { return max(uint8(hash>>32), tags) }

// home is the group where the search for a hash begins.
func (s *shard) home(hash uint64) int {
	return int(uint64(uint32(hash)) * uint64(len(s.groups)) >> 32)
}

func (s *shard) next(g int) int {
	if g++; g < len(s.groups) {
		return g
	}
	return 0
}

// word is all tags of a group, so that they are compared at once and without a branch for each.
func (g *group) word() uint64 { return binary.LittleEndian.Uint64(g.tags[:]) }

const (
	lowBits  = 0x0101010101010101
	highBits = 0x0080808080808080 // but for the tag of none
)

// match sets the highest bit of each tag in word that is tag. Above one that is, it may do so for one more.
func match(word uint64, tag uint8) uint64 {
	zero := word ^ uint64(tag)*lowBits
	return (zero - lowBits) &^ zero & highBits
}

// full reports whether a search for what is not in the group goes on in the next.
func (g *group) full() bool { return match(g.word(), empty) == 0 }

// find returns the pair of a name, or nil.
func (x *index) find(hash uint64, name string) *pair {
	s, tag := x.shard(hash), tag(hash)
	if s.live == 0 {
		return nil
	}
	for g := s.home(hash); ; g = s.next(g) {
		group := &s.groups[g]
		word := group.word()
		for m := match(word, tag); m != 0; m &= m - 1 {
			if p := group.pairs[bits.TrailingZeros64(m)/8]; p != nil && p.name() == name {
				return p
			}
		}
		if match(word, empty) != 0 {
			return nil
		}
	}
}

// insert adds a pair whose name is not there.
func (x *index) insert(hash uint64, p *pair) {
	s := x.shard(hash)
	if (s.used+1)*8 > len(s.groups)*groupLen*7 {
		x.rebuild(s)
	}
	s.place(hash, p)
}

// place puts a pair into the first cell for it that is free.
func (s *shard) place(hash uint64, p *pair) {
	for g := s.home(hash); ; g = s.next(g) {
		group := &s.groups[g]
		for i := range groupLen {
			if group.tags[i] > removed {
				continue
			}
			if group.tags[i] == empty {
				s.used++
			}
			s.live++
			group.tags[i], group.pairs[i] = tag(hash), p
			return
		}
	}
}

// rebuild clears a shard of removed cells, and makes it larger by half when those were not the reason
// that it is full.
func (x *index) rebuild(s *shard) {
	old := s.groups
	n := len(old)
	if s.live*8 >= n*groupLen*5 {
		n += n/2 + 1
	}
	*s = shard{groups: make([]group, n)}
	for g := range old {
		for _, p := range old[g].pairs {
			if p != nil {
				s.place(x.hash(p.name()), p)
			}
		}
	}
}

// remove takes a pair out. Its cell may become empty when its group has an empty one anyway, because no
// search went on past that.
func (x *index) remove(p *pair) {
	hash := x.hash(p.name())
	s := x.shard(hash)
	for g := s.home(hash); ; g = s.next(g) {
		group := &s.groups[g]
		for i := range groupLen {
			if group.pairs[i] != p {
				continue
			}
			s.live--
			group.pairs[i], group.tags[i] = nil, removed
			if !group.full() {
				group.tags[i] = empty
				s.used--
			}
			return
		}
	}
}
