package socks_test

import (
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// A deadline may be later than Unix nanoseconds can tell, as with package net.
func TestFarDeadlineHasNotPassed(t *testing.T) {
	for _, far := range []time.Time{
		time.Now().Add(math.MaxInt64), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Now().AddDate(1000, 0, 0),
	} {
		stream, peer := connect(t, clientOverTLS(t, new(testgw.Gateway)), listen(t))
		require.NoError(t, stream.SetDeadline(far))
		_, err := io.WriteString(stream, "hello")
		require.NoError(t, err, far)
		_, err = io.ReadFull(peer, make([]byte, 5))
		require.NoError(t, err)

		p, relay := relayed(t, new(socks.Client), "")
		require.NoError(t, p.SetDeadline(far))
		send(t, relay, p, fromSource+"one", fromSource+"two") // the second may be held when it is read
		for range 2 {
			_, _, err = p.ReadFrom(make([]byte, 10))
			require.NoError(t, err, far)
		}
	}
}
