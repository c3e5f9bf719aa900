package mapping

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// set is a hash set of pairs: open addressing, in groups of one cache line, with a tag of eight bits of the hash beside
// each pair, so that a search seldom reads a pair that does not match. A set is changed under Table.mu. find and likely
// take no lock: find finds every pair that stays in the set during the search. The zero set is empty.
//
// The caller computes the hashes. Bits 32 to 39 become the tag. The lower 32, as a fraction of 2³², select the group
// where the search begins: the home group.
type set struct {
	groups atomic.Pointer[[]group] // nil: none
	live   uint32                  // cells with a pair
	used   uint32                  // live, and the cells whose tag is removedTag
}

const groupLen = 7

// group is seven cells, each a pair with its tag. The tags begin at the lowest byte; the highest belongs to no cell.
type group struct {
	tags  atomic.Uint64
	pairs [groupLen]atomic.Pointer[pair]
}

// The tags of a cell that has had no pair, of one whose pair was removed, and the lowest tag of a pair. A search ends
// at a group with an empty cell.
const (
	emptyTag   = 0
	removedTag = 1
	minPairTag = 2
)

func tagOf(hash uint64) uint8 { return max(uint8(hash>>32), minPairTag) }

// homeGroup returns the index, of n groups, where the search for a hash begins.
func homeGroup(hash uint64, n int) int { return int(uint64(uint32(hash)) * uint64(n) >> 32) }

const (
	lowBits  = 0x0101010101010101
	highBits = 0x0080808080808080 // of the seven tags
)

// matchTags returns a word in which the highest bit of each byte is set whose tag equals tag. Above such a byte, it may
// also set the highest bit of one whose tag differs.
func matchTags(tags uint64, tag uint8) uint64 {
	zero := tags ^ uint64(tag)*lowBits
	return (zero - lowBits) &^ zero & highBits
}

// lowestCell returns the lowest cell in a result of matchTags other than 0.
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

// pairs yields the pairs of the cells in [from, to), in order, and reports whether yield always returned true. The
// caller may remove the pair that it is given.
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

// likely returns the first pair that find would compare, or nil if find would have to go on to another group. It is
// nearly always the right pair, and takes so few instructions that the processor runs ahead while it waits for memory.
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

// find returns the pair with the given hash for which is reports true, or nil.
func (s *set) find(hash uint64, is func(*pair) bool) *pair {
	groups := s.groupsNow()
	g, tag := homeGroup(hash, len(groups)), tagOf(hash)
	for range groups {
		group := &groups[g]
		tags := group.tags.Load()
		for m := matchTags(tags, tag); m != 0; m &= m - 1 {
			if p := group.pairs[lowestCell(m)].Load(); p != nil && is(p) {
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

// nextGroup returns the index, of n groups, of the one where a search goes on.
func nextGroup(g, n int) int {
	if g++; g < n {
		return g
	}
	return 0
}

// insert adds a pair that is not in the set. It may move the others: hashOf returns their hashes.
func (s *set) insert(hash uint64, p *pair, hashOf func(*pair) uint64) {
	n := len(s.groupsNow())
	if (s.used+1)*8 > uint32(n)*groupLen*7 {
		if s.live*8 >= uint32(n)*groupLen*5 { // not for removed cells alone
			n += n/2 + 1
		}
		s.rebuild(n, hashOf)
	}
	s.place(s.groupsNow(), hash, p)
}

// place puts a pair into the first group, from its home group on, that has room: behind the group's other pairs, or if
// the last cell is taken, into the first free cell. So pairs that come in the order of their hashes keep that order.
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

// rebuild moves the pairs to n new groups, which have room for them. A search that has begun uses the old ones.
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

// groupsFor returns the number of groups that n pairs need.
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
