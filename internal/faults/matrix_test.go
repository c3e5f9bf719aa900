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

// TestMatrixOfFaultsEndsAsDocumented makes a gateway fail in every way, for each request, authentication, handshake, transport and mode:
// by each fault at each byte of the gateway's answers, and by each value of each byte that has a meaning. Each
// cell ends with the right data or with a documented error. A gateway sees at most two requests per dial. A
// connection works after every bound of its dial has passed. No lease, connection, descriptor or goroutine is
// left.
//
// The short form combines each value with each request, and the values that have a meaning with everything. It
// distributes the cells of the modes with spares and groups over the transports. Under the race detector, which
// takes ten times as long, it distributes all cells, and runs half of the cells of those modes. With -long every
// cell runs everywhere.
func TestMatrixOfFaultsEndsAsDocumented(t *testing.T) {
	begun := time.Now()
	total, byMode, spareHits, usedLater, tooShort := 0, map[string]int{}, 0, 0, 0
	var mu sync.Mutex
	for i, w := range ways {
		before := leakcheck.Take()
		t.Run(w.name, func(t *testing.T) {
			for j, b := range batches(w) {
				t.Run(b.String(), func(t *testing.T) {
					t.Parallel()
					b.start(t)
					for k, c := range b.all(i, j) {
						if b.dealt(i, j, k) {
							b.run(t, c)
						}
					}
					mu.Lock()
					defer mu.Unlock()
					total += b.cells
					byMode[b.mode.String()] += b.cells
					spareHits += b.spareHits
					usedLater += b.usedLater
					tooShort += b.tooShort
				})
			}
		})
		require.Empty(t, before.Left(patience), "left by %s", w.name)
	}
	requireNothingLogged(t)
	t.Logf("%d cells in %v: %v; %d requests on spares; %d connections used after all bounds, %d dials for this had too little time",
		total, time.Since(begun).Round(time.Second), byMode, spareHits, usedLater, tooShort)
	require.Greater(t, total, leastCells)
	require.Greater(t, spareHits, leastCells/20)
	require.Greater(t, usedLater, leastCells/10)
}

// dealt reports whether the batch j on the transport i runs its cell k.
func (b *batch) dealt(i, j, k int) bool {
	alone := b.mode == (mode{})
	switch {
	case *long, alone && !raceDetector:
		return true
	case raceDetector && !alone:
		return (k+j)%(2*len(ways)) == 2*i
	}
	return (k+j)%len(ways) == i
}

// batches returns all batches of a transport.
func batches(w way) (all []*batch) {
	for _, m := range modes {
		for _, r := range requests {
			if m.group && r.name == "RESOLVE" {
				continue // a Group has no Resolve
			}
			for _, credentials := range []bool{false, true} {
				for _, h := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
					all = append(all, &batch{request: r, way: w, handshake: h, credentials: credentials, mode: m})
				}
			}
		}
	}
	return all
}

// all returns the cells of the batch j on the transport i.
func (b *batch) all(i, j int) []cell {
	const hands = 24 // the number of batches of a request, over which the values are distributed
	chosen := func(v byte) bool {
		return *long || slices.Contains([]byte{0, 1, 2, 5, 0xff}, v) || (int(v)+6*i+j%6)%hands == 0
	}
	return slices.Concat(
		positions(b.request, b.way, b.credentials),
		values(b.request, b.handshake, b.credentials, chosen),
	)
}
