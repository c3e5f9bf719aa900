package resolver

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Records are sorted by priority, and within one, each is first as often as its share of the weight (RFC 2782). If all
// weights are zero, any order is right.
func TestSRVRecordsAreOrderedByPriorityAndWeight(t *testing.T) {
	first := map[string]int{}
	const draws = 4000
	for range draws {
		srvs := []*net.SRV{{Target: "none", Priority: 1}, {Target: "one", Priority: 1, Weight: 1}, {Target: "three", Priority: 1, Weight: 3}, {Target: "0", Priority: 0}, {Target: "00", Priority: 0}}
		byWeight(srvs)
		order := ""
		for _, s := range srvs {
			order += fmt.Sprint(s.Priority)
		}
		require.Equal(t, "00111", order)
		first[srvs[0].Target]++
		first[srvs[2].Target]++
	}
	require.InDelta(t, draws/2, first["0"], draws/10)
	require.InDelta(t, draws/2, first["00"], draws/10)
	require.Positive(t, first["none"])
	require.Less(t, first["none"], draws/4)
	require.InDelta(t, 3*first["one"], first["three"], draws/4)
}
