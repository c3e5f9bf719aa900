package page

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func newPage(t *testing.T, clients ...*socks.Client) *Page {
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	return &Page{Watch: &Watch{Group: &socks.Group{Clients: clients}}, Table: table, Hosts: []string{"status.lan"}}
}

// answer is what p answers to a request that is changed by with.
func answer(p *Page, target string, with func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:3089"+target, nil)
	with(r)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestHosts(t *testing.T) {
	p := newPage(t)
	for host, code := range map[string]int{
		"127.0.0.1:3089": 200, "127.0.0.1": 200, "127.9.9.9:1": 200, "[::1]:3089": 200, "[::1]": 200, "localhost:3089": 200, "LOCALHOST": 200, "status.lan:80": 200,
		"rebound.example": 403, "rebound.example:3089": 403, "127.0.0.1.rebound.example": 403, "localhost.rebound.example:3089": 403, "192.0.2.1:3089": 403, "0.0.0.0:3089": 403, "": 403,
	} {
		require.Equal(t, code, answer(p, "/", func(r *http.Request) { r.Host = host }).Code, "%q", host)
	}
	for origin, code := range map[string]int{
		"http://127.0.0.1:3089": 200,
		"http://127.0.0.1:3090": 403, "http://localhost:3089": 403, "http://other.example": 403, "null": 403, "": 403, "://": 403,
	} {
		require.Equal(t, code, answer(p, "/", func(r *http.Request) { r.Header.Set("Origin", origin) }).Code, "%q", origin)
	}
}

func TestOnlyWhatThereIs(t *testing.T) {
	p := newPage(t)
	require.Equal(t, 404, answer(p, "/etc/passwd", func(*http.Request) {}).Code)
	require.Equal(t, 405, answer(p, "/", func(r *http.Request) { r.Method = http.MethodPost }).Code)
}

// The script and the style are let in by a nonce that is new for each request, and nothing else is.
func TestPolicy(t *testing.T) {
	p := newPage(t)
	nonces := make(map[string]bool)
	for range 2 {
		w := answer(p, "/", func(*http.Request) {})
		policy, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
		require.Contains(t, policy, "default-src 'none'")
		require.NotContains(t, policy, "unsafe")
		nonce := regexp.MustCompile(`script-src 'nonce-([A-Z0-9]{20,})'`).FindStringSubmatch(policy)
		require.NotNil(t, nonce, policy)
		require.False(t, nonces[nonce[1]])
		nonces[nonce[1]] = true
		require.Equal(t, 1, strings.Count(body, `<script nonce="`+nonce[1]+`">`))
		require.Equal(t, 1, strings.Count(body, `<style nonce="`+nonce[1]+`">`))
		require.Equal(t, 1, strings.Count(body, "<script"))
		require.NotRegexp(t, `(?i)<[^>]*\s(on\w+|style)=`, body, "inline handlers and styles")
		require.NotRegexp(t, `(?i)\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b`, body)
		require.NotRegexp(t, `(src|href)="?(https?:)?//`, body, "it is self-contained")
	}
}

// events reads n events of a stream.
func events(t *testing.T, url string, n int) (all []status) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	for len(all) < n && lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var s status
			require.NoError(t, json.Unmarshal([]byte(data), &s))
			all = append(all, s)
		}
	}
	require.Len(t, all, n)
	return all
}

func TestEvents(t *testing.T) {
	p := newPage(t)
	p.Every = time.Millisecond
	site := httptest.NewServer(p)
	defer site.Close()
	defer http.DefaultClient.CloseIdleConnections()
	for _, name := range []string{"a.example", "b.example", "c.test"} {
		_, err := p.Table.Assign("ip4", name)
		require.NoError(t, err)
	}
	for _, s := range events(t, site.URL+"/events?search=EXAMPLE&sort=name&reverse", 3) {
		require.Equal(t, 3, s.Totals.Names)
		require.Equal(t, 2, s.Matches)
		require.Equal(t, "b.example", s.Names[0].Name)
		require.Equal(t, "a.example", s.Names[1].Name)
	}
}
