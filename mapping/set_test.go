package mapping

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMatchTagsErrsOnlyAboveAMatch also shows that hasEmpty is exact.
func TestMatchTagsErrsOnlyAboveAMatch(t *testing.T) {
	few := []uint8{emptyTag, removedTag, minPairTag, minPairTag + 1, 0x7f, 0x80, 0x81, 0xfe, 0xff} // many pairs differ in one bit
	for range 100_000 {
		var g group
		for i := range groupLen {
			g.setTag(i, few[rand.IntN(len(few))])
		}
		tag, hasEmpty := few[rand.IntN(len(few))], false
		found, below := matchTags(g.tags.Load(), tag), false
		for i := range groupLen {
			got, hit := g.tag(i), found>>(8*i)&0x80 != 0
			if got == tag {
				require.True(t, hit, "tag %d of %x is %d", i, g.tags.Load(), tag)
			} else if hit {
				require.True(t, below, "tag %d of %x is not %d", i, g.tags.Load(), tag)
			}
			below = below || got == tag
			hasEmpty = hasEmpty || got == emptyTag
		}
		require.Zero(t, found&^uint64(highBits))
		require.Equal(t, hasEmpty, g.hasEmpty(), "%x", g.tags.Load())
	}
}

func numbered(name string, number uint32) *pair {
	p := newPair(name)
	p.number = number
	return p
}

// TestSetAgreesWithAMap uses hashes with few home groups and tags, so that searches pass many groups and meet equal tags
// of other pairs.
func TestSetAgreesWithAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for _, places := range []uint32{1, 3, math.MaxUint32} {
		var s set
		has, all := map[uint32]*pair{}, make([]*pair, 3000)
		hashOf := func(p *pair) uint64 {
			return uint64(p.number%5)<<32 | uint64(p.number%places*(math.MaxUint32/places))
		}
		for i := range all {
			all[i] = numbered(fmt.Sprintf("host%d.example", i), uint32(i))
		}
		find := func(p *pair) *pair { return s.find(hashOf(p), func(q *pair) bool { return q.number == p.number }) }
		for step := range 10_000 {
			p := all[random.IntN(1+step%len(all))]
			switch q := has[p.number]; {
			case q != nil && random.IntN(3) > 0:
				s.remove(hashOf(p), p)
				delete(has, p.number)
			case q == nil:
				s.insert(hashOf(p), p, hashOf)
				has[p.number] = p
			}
			if random.IntN(1000) == 0 {
				s.fit(hashOf)
				require.LessOrEqual(t, len(s.groupsNow())*groupLen, max(int(s.live)*4, groupLen))
			}
			if random.IntN(1000) == 0 {
				s.reserve(100, hashOf)
				require.GreaterOrEqual(t, len(s.groupsNow())*groupLen*7, (int(s.live)+100)*8)
			}
			p = all[random.IntN(len(all))]
			require.Same(t, has[p.number], find(p))
			if q := s.likely(hashOf(p)); q != nil {
				require.Same(t, has[q.number], q)
			}
			require.EqualValues(t, len(has), s.live)
		}
		n, used := 0, 0
		for g := range s.groupsNow() {
			for i := range groupLen {
				group := &s.groupsNow()[g]
				if tag := group.tag(i); tag != emptyTag {
					used++
				}
				p := group.pairs[i].Load()
				require.Equal(t, p != nil, group.tag(i) > removedTag)
				if p != nil {
					n++
				}
			}
		}
		require.Equal(t, len(has), n)
		require.EqualValues(t, used, s.used)
		require.LessOrEqual(t, used*8, len(s.groupsNow())*groupLen*7+8)
		for _, p := range has {
			s.remove(hashOf(p), p)
		}
		s.fit(hashOf)
		require.Nil(t, s.groups.Load())
	}
}

// TestSetFindsPairsWhileOthersAreMoved searches without a lock for pairs that stay, while others are added and removed.
func TestSetFindsPairsWhileOthersAreMoved(t *testing.T) {
	var s set
	stay, move := make([]*pair, 100), make([]*pair, 400)
	for i := range stay {
		stay[i] = numbered("stays.example", uint32(i))
		s.insert(numberHash(stay[i].number), stay[i], numberHashOf)
	}
	for i := range move {
		move[i] = numbered("moves.example", uint32(1000+i))
	}
	done := make(chan struct{})
	go func() { // ends with its rounds; the test waits for done
		defer close(done)
		for range 50 {
			for _, p := range move {
				s.insert(numberHash(p.number), p, numberHashOf)
			}
			for _, p := range move {
				s.remove(numberHash(p.number), p)
			}
			s.fit(numberHashOf)
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		p := stay[i%len(stay)]
		if s.find(numberHash(p.number), func(q *pair) bool { return q.number == p.number }) != p {
			t.Fatalf("number %d is not found", p.number)
		}
	}
}
