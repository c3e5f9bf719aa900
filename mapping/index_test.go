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
			g.setTag(i, few[rand.IntN(len(few))])
		}
		tag, full := few[rand.IntN(len(few))], true
		found, below := match(g.tags.Load(), tag), false
		for i := range groupLen {
			is, hit := g.tag(i), found>>(8*i)&0x80 != 0
			if is == tag {
				require.True(t, hit, "tag %d of %x is %d", i, g.tags.Load(), tag)
			} else if hit {
				require.True(t, below, "tag %d of %x is not %d", i, g.tags.Load(), tag)
			}
			below = below || is == tag
			full = full && is != empty
		}
		require.Zero(t, found&^uint64(highBits))
		require.Equal(t, full, g.full(), "%x", g.tags.Load())
	}
}
