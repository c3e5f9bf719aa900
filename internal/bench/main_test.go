package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/bench/report"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

// TestMain runs the tests, or the servers if this process has a role.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		exit(serve(role))
	}
	leakcheck.Main(m)
}

func newLab(t *testing.T) *lab {
	l := &lab{quick: true}
	t.Cleanup(l.close)
	return l
}

// Every candidate reaches the destination, through a gateway with and without a password.
func TestEveryCandidateReachesTheDestination(t *testing.T) {
	a, err := newLab(t).servers()
	require.NoError(t, err)
	for _, auth := range []bool{false, true} {
		list, err := tripClients(a, auth)
		require.NoError(t, err)
		defer closeAll(list)
		for _, c := range append(list, directClient()) {
			for _, port := range []string{behind(a.Echo), answered(c, a)} {
				if c.name == direct {
					port = a.Direct
				}
				conn, err := c.dial(context.Background(), port)
				require.NoError(t, err, c.name)
				_, err = conn.Write([]byte("stream"))
				require.NoError(t, err, c.name)
				var back [6]byte
				_, err = io.ReadFull(conn, back[:])
				require.NoError(t, err, c.name)
				require.Equal(t, "stream", string(back[:]), c.name)
				require.NoError(t, conn.Close(), c.name)
				if c.ready != nil {
					require.NoError(t, c.ready(), c.name)
				}
			}
		}
	}
}

// The gateway that requires a password refuses a client without one.
func TestPasswordIsWanted(t *testing.T) {
	a, err := newLab(t).servers()
	require.NoError(t, err)
	c := newSocks(a, false)
	c.Addr = a.Password
	_, err = c.Dial("tcp", behind(a.Echo))
	require.Error(t, err)
}

func TestEveryPacketClientExchangesDatagrams(t *testing.T) {
	a, err := newLab(t).servers()
	require.NoError(t, err)
	list, err := packetClients(a)
	require.NoError(t, err)
	for _, c := range list {
		require.NoError(t, exchange(c, 1400, 32, 4), c.name)
		require.NoError(t, c.close())
	}
}

func TestCopiesRunBothWays(t *testing.T) {
	a, err := newLab(t).servers()
	require.NoError(t, err)
	for _, c := range []candidate{plainClient(a), socksClient(ours, newSocks(a, false))} {
		for _, up := range []bool{false, true} {
			p, err := startCopy(c, a, up)
			require.NoError(t, err)
			require.NoError(t, p.next())
			require.NoError(t, p.next())
			p.stop()
		}
	}
}

// A relay delays a round trip by the RTT that is set.
func TestRelayDelaysARoundTrip(t *testing.T) {
	far, err := newLab(t).distant() // not isolated: a relay
	require.NoError(t, err)
	defer far.stop()
	const rtt = 30 * time.Millisecond
	require.NoError(t, far.setRTT(rtt))
	conn, err := net.Dial("tcp", far.addrs.Direct)
	require.NoError(t, err)
	defer conn.Close()
	for range 2 {
		begun := time.Now()
		_, err = conn.Write([]byte{1})
		require.NoError(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(begun), rtt)
	}
}

// Memory does not depend on the machine, so a test can check the bounds. The test runs in a separate process, because
// memory that other tests have left would be freed during the measurement.
func TestMemoryAfterChurnIsBounded(t *testing.T) {
	const alone = "BENCH_TEST_CHURN"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryAfterChurnIsBounded$")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	var s report.Section
	require.NoError(t, churn(50_000, &s))
	require.Len(t, s.Figures, len(uses))
	for _, f := range s.Figures {
		require.True(t, f.Pass(), "%+v", f)
	}
}

func TestRestedNamesHaveAFigure(t *testing.T) {
	var s report.Section
	require.NoError(t, rested(1000, 1, &s))
	require.Len(t, s.Figures, 1)
}

func TestLockHoldHasThreeFigures(t *testing.T) {
	var s report.Section
	require.NoError(t, lockHold(1000, 1, &s))
	require.Len(t, s.Figures, 3)
}

// An unknown section is an error, and a figure without measurements does not pass.
func TestUnknownSectionIsAnError(t *testing.T) {
	chosen, err := choose("udp,dial")
	require.NoError(t, err)
	require.Len(t, chosen, 2)
	require.Equal(t, "udp", chosen[0].name)
	_, err = choose("udp,nothing")
	require.ErrorContains(t, err, "nothing")
	require.False(t, report.AtMost("", nil, 1).Pass())
	require.False(t, report.AtLeast("", nil, 1).Pass())
}
