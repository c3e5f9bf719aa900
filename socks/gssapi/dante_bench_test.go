//go:build dante

package gssapi

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// rounds is the number of rounds in which all candidates are measured. Ratios are computed for each round.
const rounds = 15

// BenchmarkDante sends through danted without authentication and at each protection, in turn, and prints the
// table of docs/PERFORMANCE.md.
func BenchmarkDante(b *testing.B) {
	dir := kdc(b)
	config := filepath.Join(dir, "krb5.conf")
	cache := Cache(kinit(b, dir, "alice", "secret"))
	keytab := filepath.Join(dir, "gw.keytab")
	clear, _ := dante{method: "none", keytab: keytab, config: config}.start(b)
	protected, _ := dante{keytab: keytab, config: config}.start(b)
	clients := []*socks.Client{{Addr: clear}}
	for _, p := range []Protection{None, Integrity, Confidentiality} {
		auth := &Auth{Service: "rcmd/gw.test", Credentials: cache, Config: config, Protection: p}
		clients = append(clients, &socks.Client{Addr: protected, Auth: []socks.Auth{auth}})
	}
	for b.Loop() {
		for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
			for _, up := range []bool{true, false} {
				times, processor := make([][]float64, len(clients)), make([][]float64, len(clients))
				for range rounds {
					for i, c := range clients {
						t, p := took(b, c, size, up)
						times[i], processor[i] = append(times[i], t.Seconds()), append(processor[i], p.Seconds())
					}
				}
				row := fmt.Sprintf("| %d KiB, %s |", size>>10, map[bool]string{true: "to the gateway", false: "from the gateway"}[up])
				for _, measured := range [][][]float64{times, processor} {
					for _, protected := range measured[1:] {
						row += " " + ratio(protected, measured[0]) + " |"
					}
				}
				b.Log(row)
			}
		}
	}
}

// took returns the time of sending some MiB in writes of size bytes, and this process's processor time, which
// includes the destination's.
func took(b *testing.B, c *socks.Client, size int, up bool) (total, processor time.Duration) {
	near, far := connect(b, c)
	defer near.Close()
	defer far.Close()
	from, to := net.Conn(near), net.Conn(far)
	if !up {
		from, to = to, from
	}
	amount := 16 << 20
	if size < 16<<10 {
		amount = 4 << 20
	}
	received := make(chan error, 1)
	begun, used := time.Now(), processorTime(b)
	go func() { // ends when everything is received, or with the connection
		_, err := io.CopyN(io.Discard, to, int64(amount))
		received <- err
	}()
	for sent := 0; sent < amount; sent += size {
		_, err := from.Write(bulk[:size])
		require.NoError(b, err)
	}
	require.NoError(b, <-received)
	return time.Since(begun), processorTime(b) - used
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ratio returns the median of a divided by b, round by round, with the quartiles.
func ratio(a, b []float64) string {
	var ratios []float64
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	slices.Sort(ratios)
	return fmt.Sprintf("%.1f (%.1f–%.1f)", ratios[len(ratios)/2], ratios[len(ratios)/4], ratios[3*len(ratios)/4])
}
