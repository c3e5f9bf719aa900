package lab

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
)

var (
	rounds  = flag.Int("rounds", 5, "of BenchmarkTable")
	onlyRow = flag.String("row", "", "a regular expression for the names of the rows that BenchmarkTable measures")
)

var figure = regexp.MustCompile(`[0-9.]+`)

// BenchmarkTable measures all columns in several rounds, and prints the medians for the table in README.md.
func BenchmarkTable(b *testing.B) {
	w := newWorld(b)
	bulkServer(b)
	c := compile(b, w, "measure.c", "gcc", "gcc")
	stall := testdata("nodejs", "node", "stall.js", "www.test", "7")(b, w)
	rows := []row{
		{name: "connect by name, and a byte there and back, one after the other, µs", argv: []string{c, "connects", "www.test", "7"}, client: []string{"connects", "www.test:7", "500", "1"}},
		{name: "2,000 of them, 100 at once, ms", client: []string{"connects", "www.test:7", "2000", "100"}},
		{name: "bulk down / up, MB/s", argv: []string{c, "bulk", "www.test", "19"}, client: []string{"bulk", "www.test:19"}},
		{name: "datagrams by name there and back, 32 at once, per second", argv: []string{c, "datagrams", "www.test", "7"}, client: []string{"datagrams", "www.test:7", "20000"}},
		{name: "run of `true`, from start to end, ms", argv: []string{"true"}},
		{name: "memory with 1,000 open connections, MB", argv: []string{c, "open", "www.test", "7"}, client: []string{"open", "www.test:7", "1000"}},
		{name: "a gateway that takes 100 ms: 20 connects of node at once / longest stall of its event loop, ms", argv: stall, client: []string{"connects", "www.test:7", "20", "20"}, slow: true},
	}
	columns := append([]column{{name: "library", run: run{bare: true, env: []string{"ALL_PROXY=socks5://" + gatewayIP + ":1080"}}}}, wrappers(b, w)...)
	for b.Loop() {
		b.Logf("| %s |", strings.Join(append([]string{""}, names(columns)...), " | "))
		for _, r := range rows {
			if regexp.MustCompile(*onlyRow).MatchString(r.name) {
				w.measureRow(b, columns, r)
			}
		}
	}
}

// row is a measurement: its program, and the Go client's command, which measures the library, or every column if
// there is no program.
type row struct {
	name         string
	argv, client []string
	slow         bool
}

func (w *world) measureRow(b *testing.B, columns []column, r row) {
	if r.slow {
		w.restart(b, func(g *testgw.Gateway) {
			g.Misbehave = func(int) testgw.Fault {
				return testgw.Fault{Hold: testgw.Delay(testgw.StageReply, 100*time.Millisecond)}
			}
		})
	}
	got := make([][][]float64, len(columns))
	for range *rounds {
		for i, c := range columns {
			if f := w.measure(b, c, r); f != nil {
				got[i] = append(got[i], f)
			}
		}
	}
	line := []string{r.name}
	for _, figures := range got {
		line = append(line, medians(figures))
	}
	b.Logf("| %s |", strings.Join(line, " | "))
}

// measure returns the figures of one run, or nil if the column cannot run the row.
func (w *world) measure(b *testing.B, c column, r row) []float64 {
	argv := r.argv
	switch {
	case c.name == "library" && r.client != nil:
		argv = append([]string{built("client"), "socks"}, r.client...)
	case argv == nil && c.run.bare:
		return nil // the client is static
	case argv == nil:
		argv = append([]string{built("client")}, r.client...)
	}
	cmd := c.run.command(w, argv...)
	if strings.HasPrefix(r.name, "memory") {
		return w.memory(b, cmd)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	w.start(cmd)
	late := time.AfterFunc(patience/3, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		b.Logf("%s, %s: %v %s", c.name, r.name, err, stdout.String()+stderr.String())
		return nil
	}
	if argv[0] == "true" {
		return []float64{float64(time.Since(began).Microseconds()) / 1000}
	}
	return figures(b, stdout.String())
}

// figures returns the numbers in the last line of an output. For the Go client's "500 connects in 12345 µs" it
// returns one number: µs per connect, or ms if many connects run at once.
func figures(b *testing.B, output string) (list []float64) {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := lines[len(lines)-1]
	for _, s := range figure.FindAllString(last, -1) {
		f, err := strconv.ParseFloat(s, 64)
		require.NoError(b, err)
		list = append(list, f)
	}
	if strings.Contains(last, "connects in") {
		if list[0] == 500 {
			return []float64{list[1] / 500}
		}
		return []float64{list[1] / 1000}
	}
	return list
}

// memory returns the memory of the supervisor, or of the client, with 1,000 open connections.
func (w *world) memory(b *testing.B, cmd *exec.Cmd) []float64 {
	cmd.Stdin = nil
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	p := startPiped(w, cmd)
	deadline := time.Now().Add(patience / 3)
	for !strings.Contains(p.output(), "open") {
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	pid := cmd.Process.Pid
	for _, s := range processes("socksify: supervisor") {
		_, err := fmt.Sscanf(s, "/proc/%d ", &pid)
		require.NoError(b, err)
	}
	memory := resident(b, pid)
	require.NoError(b, in.Close())
	p.wait()
	return []float64{float64(memory) / 1e6}
}

func medians(runs [][]float64) string {
	if len(runs) == 0 {
		return "–"
	}
	var texts []string
	for i := range runs[0] {
		var of []float64
		for _, r := range runs {
			of = append(of, r[i])
		}
		slices.Sort(of)
		texts = append(texts, strconv.FormatFloat(of[len(of)/2], 'f', 0, 64))
	}
	return strings.Join(texts, " / ")
}

// bulkServer starts the server for the client's bulk.
func bulkServer(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", serverIP+":19")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serveBulk(c) }) // ends with the client
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
}

func serveBulk(c net.Conn) {
	defer c.Close()
	b := make([]byte, 256<<10)
	if _, err := io.ReadFull(c, b[:1]); err != nil {
		return
	}
	if b[0] == 'd' {
		for sent := 0; sent < 1<<30; sent += len(b) {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
		return
	}
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, b)
	_, _ = c.Write([]byte("x"))
}
