package mapping

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// set is a hash set of pairs: open addressing, in groups of one cache line, with eight bits of the hash beside
// each pair, so that a search hardly ever looks at another pair than the one it is for. A set is changed under
// Table.mu. find needs no lock: it finds every pair that is in the set all the while. The zero set is empty.
//
// The caller computes the hashes. Bits 32 to 39 become the tag, and the lower 32, as a fraction of all, the place.
type set struct {
	groups atomic.Pointer[[]group] // nil: none
	live   uint32                  // cells with a pair
	used   uint32                  // and those with the tag removed
}

const groupLen = 7

// group has a tag for each pair, from the lowest byte on. The highest byte belongs to no pair.
type group struct {
	tags  atomic.Uint64
	pairs [groupLen]atomic.Pointer[pair]
}

// The tags of a cell without a pair, and the lowest tag of one with a pair.
const (
	empty    = 0
	removed  = 1
	firstTag = 2
)

func tagOf(hash uint64) uint8 { return max(uint8(hash>>32), firstTag) }

// home returns the one of n groups where the search for a hash begins.
func home(hash uint64, n int) int { return int(uint64(uint32(hash)) * uint64(n) >> 32) }

const (
	lowBits  = 0x0101010101010101
	highBits = 0x0080808080808080 // of the tags that belong to a pair
)

// matches returns tags with the highest bit of each tag set that equals tag. Above such a tag it may set the
// highest bit of one that differs.
func matches(tags uint64, tag uint8) uint64 {
	zero := tags ^ uint64(tag)*lowBits
	return (zero - lowBits) &^ zero & highBits
}

// cell returns the lowest cell in the result of matches, which is not 0.
func cell(matches uint64) int { return bits.TrailingZeros64(matches) / 8 }

func (g *group) tag(i int) uint8 { return uint8(g.tags.Load() >> (8 * i)) }

func (g *group) setTag(i int, tag uint8) {
	g.tags.Store(g.tags.Load()&^(0xff<<(8*i)) | uint64(tag)<<(8*i))
}

// hasEmpty reports whether a search ends at g.
func (g *group) hasEmpty() bool { return matches(g.tags.Load(), empty) != 0 }

func (s *set) groupsNow() []group {
	if groups := s.groups.Load(); groups != nil {
		return *groups
	}
	return nil
}

func pairAt(groups []group, cell int) *pair { return groups[cell/groupLen].pairs[cell%groupLen].Load() }

// skipFree returns the first cell from one on that has a pair, or how many cells there are.
func skipFree(groups []group, cell int) int {
	for cell < len(groups)*groupLen && pairAt(groups, cell) == nil {
		cell++
	}
	return cell
}

// pairs yields the pairs in the cells from a first one to before a last one, in order, and reports whether yield
// always returned true. The pair at hand may be removed.
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

// first returns the pair that find looks at first, which nearly always is the one, or nil. That is so little work
// that a processor begins with what comes next while it waits for memory.
func (s *set) first(hash uint64) *pair {
	groups := s.groupsNow()
	if len(groups) == 0 {
		return nil
	}
	group := &groups[home(hash, len(groups))]
	m := matches(group.tags.Load(), tagOf(hash))
	if m == 0 {
		return nil
	}
	return group.pairs[cell(m)].Load()
}

// find returns the pair with a hash for which is reports true, or nil.
func (s *set) find(hash uint64, is func(*pair) bool) *pair {
	groups := s.groupsNow()
	g, tag := home(hash, len(groups)), tagOf(hash)
	for range groups {
		group := &groups[g]
		tags := group.tags.Load()
		for m := matches(tags, tag); m != 0; m &= m - 1 {
			if p := group.pairs[cell(m)].Load(); p != nil && is(p) {
				return p
			}
		}
		if matches(tags, empty) != 0 {
			break
		}
		g = after(g, len(groups))
	}
	return nil
}

// after returns the group that a search goes on to.
func after(g, n int) int {
	if g++; g < n {
		return g
	}
	return 0
}

// insert adds a pair that is not in the set.
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

// place puts a pair into the first group for it that has room: behind all others, or if the last cell is taken, into the
// first that is free. So pairs that come in the order of their hashes stay in it.
func (s *set) place(groups []group, hash uint64, p *pair) {
	for g := home(hash, len(groups)); ; g = after(g, len(groups)) {
		group := &groups[g]
		tags := group.tags.Load()
		i := (bits.Len64(tags) + 7) / 8
		if i == groupLen {
			free := matches(tags, empty) | matches(tags, removed)
			if free == 0 {
				continue
			}
			i = cell(free)
		}
		if group.tag(i) == empty {
			s.used++
		}
		s.live++
		group.pairs[i].Store(p)
		group.setTag(i, tagOf(hash))
		return
	}
}

// rebuild moves the pairs to n new groups, which have room for them. A find under way searches the old ones.
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

// groupsFor returns how many groups n pairs need.
func groupsFor(n uint32) int { return int(n*8/(groupLen*7)) + 1 }

// fit gives memory back if the set has more than four cells for each pair.
func (s *set) fit(hashOf func(*pair) uint64) {
	switch cells := uint32(len(s.groupsNow())) * groupLen; {
	case s.live == 0:
		s.clear()
	case s.live*4 < cells:
		s.rebuild(groupsFor(s.live), hashOf)
	}
}

// remove takes out a pair, which is in the set.
func (s *set) remove(hash uint64, p *pair) {
	groups := s.groupsNow()
	for g := home(hash, len(groups)); ; g = after(g, len(groups)) {
		group := &groups[g]
		for i := range groupLen {
			if group.pairs[i].Load() != p {
				continue
			}
			s.live--
			if group.setTag(i, removed); group.hasEmpty() { // no search for another pair goes on past g
				group.setTag(i, empty)
				s.used--
			}
			group.pairs[i].Store(nil)
			return
		}
	}
}

func (s *set) clear() {
	s.groups.Store(nil)
	s.live, s.used = 0, 0
}
