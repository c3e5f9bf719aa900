package faults

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks"
)

// TestMatrix has every gateway fail in every way: each request, authentication, handshake and transport by
// each octet of the gateway's answers by what goes wrong there, and by each value of each octet that means
// something. Whatever happens, there is the right data or an error of the table in the documentation, in
// time, and nothing is left.
//
// The short form deals the values out, so that each is met by each request, and those that mean
// something everywhere; with -long each value is met everywhere.
func TestMatrix(t *testing.T) {
	begun := time.Now()
	cells := map[string]int{}
	var mu sync.Mutex
	for i, w := range ways {
		before := leakcheck.Take()
		t.Run(w.name, func(t *testing.T) {
			for j, b := range batches(w) {
				t.Run(b.String(), func(t *testing.T) {
					t.Parallel()
					const hands = 24 // to which the values are dealt: the batches of a request
					chosen := func(v byte) bool {
						return *long || slices.Contains([]byte{0, 1, 2, 5, 0xff}, v) || (int(v)+6*i+j%6)%hands == 0
					}
					all := slices.Concat(
						positions(b.request, b.way, b.credentials),
						values(b.request, b.handshake, b.credentials, chosen),
					)
					b.start(t)
					for _, c := range all {
						b.run(t, c)
					}
					mu.Lock()
					defer mu.Unlock()
					cells[w.name] += b.cells
				})
			}
		})
		require.Empty(t, before.Left(patience), "left by %s", w.name)
	}
	requireNothingLogged(t)
	total := 0
	for _, w := range ways {
		total += cells[w.name]
	}
	t.Logf("%d cells in %v: %v", total, time.Since(begun).Round(time.Second), cells)
	require.Greater(t, total, 10_000)
}

func batches(w way) (all []*batch) {
	for _, r := range requests {
		for _, credentials := range []bool{false, true} {
			for _, h := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
				all = append(all, &batch{request: r, way: w, handshake: h, credentials: credentials})
			}
		}
	}
	return all
}
