package lab

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// column is a way to run a client.
type column struct {
	name string
	run  run
	wrap func(w *world, argv []string) []string
}

func columns(b *testing.B, w *world) []column {
	config := filepath.Join(w.dir, "proxychains.conf")
	require.NoError(b, os.WriteFile(config, []byte("strict_chain\nquiet_mode\nproxy_dns\n[ProxyList]\nsocks5 "+gatewayIP+" 1080\n"), 0o644))
	proxychains := func(w *world, argv []string) []string {
		return append([]string{need(b, "proxychains4", "proxychains4"), "-f", config}, argv...)
	}
	library := func(w *world, argv []string) []string { return append([]string{argv[0], "socks"}, argv[1:]...) }
	return []column{
		{name: "library", run: run{bare: true, env: []string{"ALL_PROXY=socks5://" + gatewayIP + ":1080"}}, wrap: library},
		{name: "namespace", run: run{way: "namespace"}},
		{name: "seccomp", run: run{way: "seccomp"}},
		{name: "proxychains4", run: run{bare: true}, wrap: proxychains},
	}
}

var rounds = flag.Int("rounds", 5, "of BenchmarkTable")

var figure = regexp.MustCompile(`[0-9.]+`)

// BenchmarkTable measures in rounds of all columns, and prints the medians of the table in README.md.
func BenchmarkTable(b *testing.B) {
	w := newWorld(b)
	bulkServer(b)
	rounds := *rounds
	c := compile(b, w, "measure.c", "gcc", "gcc")
	rows := []row{
		{name: "connect by name and a byte there and back, one by one, µs", c: []string{c, "connects", "www.test", "7"}, client: []string{"connects", "www.test:7", "500", "1"}},
		{name: "2 000 of them, 100 at once, ms", client: []string{"connects", "www.test:7", "2000", "100"}},
		{name: "bulk down / up, MB/s", c: []string{c, "bulk", "www.test", "19"}, client: []string{"bulk", "www.test:19"}},
		{name: "datagrams by name there and back, 32 at once, per s", client: []string{"datagrams", "www.test:7", "20000"}, udp: true},
		{name: "launch of true, ms", launch: true},
		{name: "memory with 1 000 connections open, MB", c: []string{c, "open", "www.test", "7"}, client: []string{"open", "www.test:7", "1000"}, memory: true},
	}
	for b.Loop() {
		for _, r := range rows {
			line := []string{r.name}
			got := map[string][][]float64{}
			for range rounds {
				for _, c := range columns(b, w) {
					if f := w.measure(b, c, r); f != nil {
						got[c.name] = append(got[c.name], f)
					}
				}
			}
			for _, c := range columns(b, w) {
				line = append(line, medians(got[c.name]))
			}
			b.Logf("| %s |", strings.Join(line, " | "))
		}
	}
}

// row is what is measured, with the client in C, and with the one in Go for the library and for what needs it.
type row struct {
	name                string
	c, client           []string
	udp, launch, memory bool
}

// measure returns the figures of one run; nil: this column cannot.
func (w *world) measure(b *testing.B, c column, r row) []float64 {
	argv := r.c
	if c.name == "library" || argv == nil {
		argv = append([]string{built("client")}, r.client...)
	}
	switch {
	case r.launch:
		began := time.Now()
		cmd := w.wrapped(c, "true")
		w.start(cmd)
		require.NoError(b, cmd.Wait())
		return []float64{float64(time.Since(began).Microseconds()) / 1000}
	case r.udp && c.name == "seccomp", r.c == nil && c.name == "proxychains4":
		return nil
	case r.memory:
		return w.memory(b, c, argv)
	}
	cmd := w.wrapped(c, argv...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	w.start(cmd)
	late := time.AfterFunc(patience/2, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		b.Logf("%s, %s: %v %s", c.name, r.name, err, out.String())
		return nil
	}
	last := strings.TrimSpace(out.String())
	if at := strings.LastIndexByte(last, '\n'); at >= 0 {
		last = last[at+1:] // after what proxychains4 says
	}
	var figures []float64
	for _, s := range figure.FindAllString(last, -1) {
		f, err := strconv.ParseFloat(s, 64)
		require.NoError(b, err)
		figures = append(figures, f)
	}
	if argv[1] == "connects" && len(argv) == 5 { // "2000 connects in 12345 µs"
		if figures[0] == 2000 {
			return []float64{figures[1] / 1000}
		}
		return []float64{figures[1] / figures[0]}
	}
	return figures
}

// memory returns what the supervisor, or the client itself, holds more with 1,000 connections open.
func (w *world) memory(b *testing.B, c column, argv []string) []float64 {
	cmd := w.wrapped(c, argv...)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	p := startPiped(w, cmd)
	deadline := time.Now().Add(30 * time.Second)
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
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(b, err)
	require.NoError(b, in.Close())
	p.wait()
	return []float64{kb / 1000}
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

// bulkServer is the server of the client's bulk.
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

func (w *world) wrapped(c column, argv ...string) *exec.Cmd {
	if c.wrap != nil && (argv[0] != "true" || c.name == "proxychains4") {
		argv = c.wrap(w, argv)
	}
	return c.run.command(w, argv...)
}
