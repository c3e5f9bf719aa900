package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestParseReadsTheFlags(t *testing.T) {
	var o options
	require.NoError(t, o.parse([]string{"-rate", "0.5", "-host", "Status.LAN", "-host", "b", "-duration", "1m"}, io.Discard))
	require.Equal(t, "127.0.0.1:3089", o.listen, "loopback, unless it is asked otherwise")
	require.Equal(t, []string{"status.lan", "b"}, o.hosts)
	for _, args := range [][]string{{"-rate", "0"}, {"-rate", "101"}, {"-rate", "NaN"}, {"-rate", "-1"}, {"extra"}, {"-unknown"}} {
		require.Error(t, new(options).parse(args, io.Discard), "%q", args)
	}
}

// The test waits until the page shows connections by name and fetches, and ends the program while a stream of events is
// open.
func TestRunShowsItsTraffic(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() { // the test's, which waits for ended; cancel ends it
		ended <- run(ctx, []string{"-listen", "127.0.0.1:0", "-rate", "50"}, printed, io.Discard)
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	url := line[strings.Index(line, "http://") : len(line)-1]

	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(url + "events")
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if event := lines.Bytes(); bytes.Contains(event, []byte(`"Host":"time.lab.test"`)) && bytes.Contains(event, []byte(`"Name":"api.shop.test"`)) {
			break
		}
	}
	require.NoError(t, lines.Err())
	cancel()
	require.NoError(t, <-ended)
	for lines.Scan() { // the stream ends with the program
	}
}

// The URL of a page at all addresses has localhost, and of a page at one address that address.
func TestURLWorks(t *testing.T) {
	for listen, want := range map[string]string{":0": "http://localhost:", "127.0.0.2:0": "http://127.0.0.2:"} {
		ctx, cancel := context.WithCancel(t.Context())
		stdout, printed := io.Pipe()
		ended := make(chan error, 1)
		go func() { // the test's, which waits for ended; cancel ends it
			ended <- run(ctx, []string{"-listen", listen}, printed, io.Discard)
			printed.Close()
		}()
		line, err := bufio.NewReader(stdout).ReadString('\n')
		require.NoError(t, err)
		url := line[strings.Index(line, "http://") : len(line)-1]
		require.True(t, strings.HasPrefix(url, want), url)
		resp, err := http.Get(url)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		http.DefaultClient.CloseIdleConnections()
		cancel()
		require.NoError(t, <-ended)
	}
}

func TestDurationEndsIt(t *testing.T) {
	var stdout bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-listen", "127.0.0.1:0", "-duration", "50ms"}, &stdout, io.Discard))
	require.Contains(t, stdout.String(), "http://127.0.0.1:")
}
