package mapping

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// What match may find beside the tags that are equal is above one of those, and full is exact.
func TestMatch(t *testing.T) {
	few := []uint8{empty, removed, tags, tags + 1, 0x7f, 0x80, 0x81, 0xfe, 0xff} // many that differ in one bit
	for range 100_000 {
		var g group
		for i := range groupLen {
			g.tags[i] = few[rand.IntN(len(few))]
		}
		tag, full := few[rand.IntN(len(few))], true
		found, below := match(g.word(), tag), false
		for i, is := range g.tags[:groupLen] {
			hit := found>>(8*i)&0x80 != 0
			if is == tag {
				require.True(t, hit, "tag %d of %v is %d", i, g.tags, tag)
			} else if hit {
				require.True(t, below, "tag %d of %v is not %d", i, g.tags, tag)
			}
			below = below || is == tag
			full = full && is != empty
		}
		require.Zero(t, found&^uint64(highBits))
		require.Equal(t, full, g.full(), "%v", g.tags)
	}
}
