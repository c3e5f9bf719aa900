package mapping

// index finds a slot by the hash of its name: open addressing, four bytes a cell, a cache line a group.
// A cell is 0 when empty, 1 when its slot was removed, else the slot plus two, and above that as many
// bits of the hash as fit, so that hardly any other name is ever compared. Guarded by Table.mu.
type index struct {
	bits   uint8 // of a cell that are the slot's
	shards [64]shard
}

// shard is a part of the index that grows alone, so that no Assign waits for all of it to be copied.
type shard struct {
	groups []group
	live   int // cells with a slot
	used   int // and those removed
}

const groupLen = 16

type group [groupLen]uint32

const (
	empty   = 0
	removed = 1
)

// init empties the index for slots below 1<<bits.
func (x *index) init(bits uint8) { *x = index{bits: bits + 1} }

func (x *index) shard(hash uint64) *shard { return &x.shards[hash>>58] }

func (x *index) tag(hash uint64) uint32 { return uint32(hash>>32) << x.bits }

func (x *index) slot(cell uint32) uint32 { return cell&(1<<x.bits-1) - 2 }

// home is the group where the search for a hash begins.
func (s *shard) home(hash uint64) int {
	return int(uint64(uint32(hash)) * uint64(len(s.groups)) >> 32)
}

// find returns the slot with this hash that is the one asked for.
func (x *index) find(hash uint64, is func(slot uint32) bool) (uint32, bool) {
	s, tag := x.shard(hash), x.tag(hash)
	if s.live == 0 {
		return 0, false
	}
	tagMask := ^uint32(0) << x.bits
	for g := s.home(hash); ; g = s.next(g) {
		group := &s.groups[g]
		for _, cell := range group {
			if cell&tagMask == tag && cell > removed && is(x.slot(cell)) {
				return x.slot(cell), true
			}
		}
		if group.has(empty) {
			return 0, false
		}
	}
}

func (s *shard) next(g int) int {
	if g++; g < len(s.groups) {
		return g
	}
	return 0
}

func (g *group) has(want uint32) bool {
	for _, cell := range g {
		if cell == want {
			return true
		}
	}
	return false
}

// insert adds a slot that is not there; hashOf gives the hashes of those that are, should they move.
func (x *index) insert(hash uint64, slot uint32, hashOf func(slot uint32) uint64) {
	s := x.shard(hash)
	if (s.used+1)*8 > len(s.groups)*groupLen*7 {
		x.rebuild(s, hashOf)
	}
	x.place(s, hash, slot)
}

// place puts a slot into the first cell for it that is free.
func (x *index) place(s *shard, hash uint64, slot uint32) {
	for g := s.home(hash); ; g = s.next(g) {
		for i, cell := range s.groups[g] {
			if cell > removed {
				continue
			}
			if cell == empty {
				s.used++
			}
			s.live++
			s.groups[g][i] = x.tag(hash) | (slot + 2)
			return
		}
	}
}

// rebuild clears a shard of removed cells, and makes it larger by half when those were not the reason
// that it is full.
func (x *index) rebuild(s *shard, hashOf func(slot uint32) uint64) {
	old := s.groups
	n := len(old)
	if s.live*8 >= n*groupLen*5 {
		n += n/2 + 1
	}
	*s = shard{groups: make([]group, n)}
	for g := range old {
		for _, cell := range old[g] {
			if cell > removed {
				x.place(s, hashOf(x.slot(cell)), x.slot(cell))
			}
		}
	}
}

// remove takes a slot out. Its cell may become empty when its group has an empty one anyway, because no
// search went on past that.
func (x *index) remove(hash uint64, slot uint32) {
	s, want := x.shard(hash), x.tag(hash)|(slot+2)
	for g := s.home(hash); ; g = s.next(g) {
		group := &s.groups[g]
		for i, cell := range group {
			if cell != want {
				continue
			}
			s.live--
			if group[i] = removed; group.has(empty) {
				group[i] = empty
				s.used--
			}
			return
		}
	}
}
