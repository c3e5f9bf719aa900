package seccomp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnblockedPendingSignalsWait(t *testing.T) {
	status := func(thread, process, blocked string) string {
		return "Name:\tx\nSigPnd:\t" + thread + "\nShdPnd:\t" + process + "\nSigBlk:\t" + blocked + "\nSigIgn:\t0\n"
	}
	for _, c := range []struct {
		status string
		want   bool
	}{
		{status("0000000000000000", "0000000000000000", "0000000000000000"), false},
		{status("0000000000000002", "0000000000000000", "0000000000000000"), true},
		{status("0000000000000000", "8000000000000000", "0000000000000002"), true},
		{status("0000000000000002", "0000000000000000", "0000000000000002"), false},
		{"", false},
		{"\nSigPnd:\tx", false},
	} {
		require.Equal(t, c.want, signalsWait(c.status), c.status)
	}
}
