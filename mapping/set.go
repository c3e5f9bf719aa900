package mapping

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// set is a hash set of pairs with open addressing. Its cells are in groups of one cache line. Beside each pair is a tag,
// eight bits of its hash, so that a search seldom reads a pair that does not match. A set is changed under Table.mu. find
// and likely take no lock; find returns any matching pair that stays in the set during the search. The zero set is empty.
//
// The caller computes the hashes. Bits 32 to 39 are the tag. The lower 32 bits, as a fraction of 2³², select the group
// where a search begins: the home group.
type set struct {
	groups atomic.Pointer[[]group] // nil: none
	live   uint32                  // number of cells with a pair
	used   uint32                  // number of cells with a pair or with removedTag
}

const groupLen = 7

// group is seven cells, each a pair with its tag. Byte i of tags, from the lowest, is the tag of cell i; the highest byte
// is unused.
type group struct {
	tags  atomic.Uint64
	pairs [groupLen]atomic.Pointer[pair]
}

// The tags. A search ends at a group with an empty cell.
const (
	emptyTag   = 0 // of a cell that has had no pair
	removedTag = 1 // of a cell whose pair was removed
	minPairTag = 2 // the lowest tag of a pair
)

func tagOf(hash uint64) uint8 { return max(uint8(hash>>32), minPairTag) }

// homeGroup returns the index, of n groups, where the search for a hash begins.
func homeGroup(hash uint64, n int) int { return int(uint64(uint32(hash)) * uint64(n) >> 32) }

const (
	lowBits  = 0x0101010101010101
	highBits = 0x0080808080808080 // of the seven tags
)

// matchTags compares each tag with tag. It returns a word in which the highest bit of byte i is set if tag i is equal.
// That bit may also be set for a tag that differs, if a lower tag is equal.
func matchTags(tags uint64, tag uint8) uint64 {
	zero := tags ^ uint64(tag)*lowBits
	return (zero - lowBits) &^ zero & highBits
}

// lowestCell returns the lowest cell in a result of matchTags, which must not be 0.
func lowestCell(matches uint64) int { return bits.TrailingZeros64(matches) / 8 }

func (g *group) tag(i int) uint8 { return uint8(g.tags.Load() >> (8 * i)) }

func (g *group) setTag(i int, tag uint8) {
	g.tags.Store(g.tags.Load()&^(0xff<<(8*i)) | uint64(tag)<<(8*i))
}

// hasEmpty reports whether a search ends at g.
func (g *group) hasEmpty() bool { return matchTags(g.tags.Load(), emptyTag) != 0 }

func (s *set) groupsNow() []group {
	if groups := s.groups.Load(); groups != nil {
		return *groups
	}
	return nil
}

func pairAt(groups []group, cell int) *pair { return groups[cell/groupLen].pairs[cell%groupLen].Load() }

// skipFree returns the first cell that has a pair, beginning with the given one, or the number of cells if none has.
func skipFree(groups []group, cell int) int {
	for cell < len(groups)*groupLen && pairAt(groups, cell) == nil {
		cell++
	}
	return cell
}

// pairs yields the pairs of the cells in [from, to), in order, until yield returns false. It reports whether yield always
// returned true. yield may remove the pair that it is given.
func (s *set) pairs(from, to int, yield func(*pair) bool) bool {
	groups := s.groupsNow()
	to = min(to, len(groups)*groupLen)
	for i := skipFree(groups, from); i < to; i = skipFree(groups, i+1) {
		if !yield(pairAt(groups, i)) {
			return false
		}
	}
	return true
}

// all yields all pairs.
func (s *set) all(yield func(*pair) bool) { s.pairs(0, math.MaxInt, yield) }

// likely returns the first pair that find would compare, or nil if the home group has none. If the set has the pair that
// is looked for, it is nearly always that one. likely takes so few instructions that the processor runs ahead while it
// waits for memory.
func (s *set) likely(hash uint64) *pair {
	groups := s.groupsNow()
	if len(groups) == 0 {
		return nil
	}
	group := &groups[homeGroup(hash, len(groups))]
	m := matchTags(group.tags.Load(), tagOf(hash))
	if m == 0 {
		return nil
	}
	return group.pairs[lowestCell(m)].Load()
}

// find returns the pair with the given hash for which match reports true, or nil.
func (s *set) find(hash uint64, match func(*pair) bool) *pair {
	groups := s.groupsNow()
	g, tag := homeGroup(hash, len(groups)), tagOf(hash)
	for range groups {
		group := &groups[g]
		tags := group.tags.Load()
		for m := matchTags(tags, tag); m != 0; m &= m - 1 {
			if p := group.pairs[lowestCell(m)].Load(); p != nil && match(p) {
				return p
			}
		}
		if matchTags(tags, emptyTag) != 0 {
			break
		}
		g = nextGroup(g, len(groups))
	}
	return nil
}

// nextGroup returns the index, of n groups, of the group where a search goes on after group g.
func nextGroup(g, n int) int {
	if g++; g < n {
		return g
	}
	return 0
}

// insert adds a pair that is not in the set. It may move the other pairs, whose hashes hashOf returns.
func (s *set) insert(hash uint64, p *pair, hashOf func(*pair) uint64) {
	n := len(s.groupsNow())
	if (s.used+1)*8 > uint32(n)*groupLen*7 {
		if s.live*8 >= uint32(n)*groupLen*5 { // otherwise a rebuild without the removed cells makes enough room
			n += n/2 + 1
		}
		s.rebuild(n, hashOf)
	}
	s.place(s.groupsNow(), hash, p)
}

// place puts a pair into the first group with room, from its home group on: behind the group's other pairs, or into the
// first free cell if the last cell is used. So pairs that are added in the order of their hashes keep that order.
func (s *set) place(groups []group, hash uint64, p *pair) {
	for g := homeGroup(hash, len(groups)); ; g = nextGroup(g, len(groups)) {
		group := &groups[g]
		tags := group.tags.Load()
		i := (bits.Len64(tags) + 7) / 8
		if i == groupLen {
			free := matchTags(tags, emptyTag) | matchTags(tags, removedTag)
			if free == 0 {
				continue
			}
			i = lowestCell(free)
		}
		if group.tag(i) == emptyTag {
			s.used++
		}
		s.live++
		group.pairs[i].Store(p)
		group.setTag(i, tagOf(hash))
		return
	}
}

// rebuild moves the pairs to n new groups, which must have room for them. A search that has begun goes on in the old
// groups.
func (s *set) rebuild(n int, hashOf func(*pair) uint64) {
	groups := make([]group, n)
	s.live, s.used = 0, 0
	for p := range s.all {
		s.place(groups, hashOf(p), p)
	}
	s.groups.Store(&groups)
}

// reserve makes room for n more pairs.
func (s *set) reserve(n uint32, hashOf func(*pair) uint64) {
	if groups := groupsFor(s.live + n); groups > len(s.groupsNow()) {
		s.rebuild(groups, hashOf)
	}
}

// groupsFor returns the number of groups for n pairs: at most seven eighths of the cells are used.
func groupsFor(n uint32) int { return int(n*8/(groupLen*7)) + 1 }

// fit frees memory if the set has more than four cells per pair.
func (s *set) fit(hashOf func(*pair) uint64) {
	switch cells := uint32(len(s.groupsNow())) * groupLen; {
	case s.live == 0:
		s.clear()
	case s.live*4 < cells:
		s.rebuild(groupsFor(s.live), hashOf)
	}
}

// remove removes a pair that is in the set.
func (s *set) remove(hash uint64, p *pair) {
	groups := s.groupsNow()
	for g := homeGroup(hash, len(groups)); ; g = nextGroup(g, len(groups)) {
		group := &groups[g]
		for i := range groupLen {
			if group.pairs[i].Load() != p {
				continue
			}
			s.live--
			if group.setTag(i, removedTag); group.hasEmpty() { // no search for another pair passes g
				group.setTag(i, emptyTag)
				s.used--
			}
			group.pairs[i].Store(nil)
			return
		}
	}
}

// clear removes all pairs.
func (s *set) clear() {
	s.groups.Store(nil)
	s.live, s.used = 0, 0
}
