package status

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

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// newHandler returns the Handler of a new Dialer.
func newHandler(t *testing.T, g dialer.Gateway) (*Handler, *dialer.Dialer) {
	t.Helper()
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: g, Table: table}
	h := New(d)
	h.Hosts = []string{"status.lan"}
	return h, d
}

// answer returns the answer of h to a request that with has changed.
func answer(h *Handler, target string, with func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:3089"+target, nil)
	with(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOnlyKnownHostsAreAnswered(t *testing.T) {
	h, _ := newHandler(t, new(socks.Client))
	for host, code := range map[string]int{
		"127.0.0.1:3089": 200, "127.0.0.1": 200, "127.9.9.9:1": 200, "[::1]:3089": 200, "[::1]": 200, "localhost:3089": 200, "LOCALHOST": 200, "status.lan:80": 200,
		"rebound.example": 403, "rebound.example:3089": 403, "127.0.0.1.rebound.example": 403, "localhost.rebound.example:3089": 403, "192.0.2.1:3089": 403, "0.0.0.0:3089": 403, "": 403,
	} {
		require.Equal(t, code, answer(h, "/", func(r *http.Request) { r.Host = host }).Code, "%q", host)
	}
	for origin, code := range map[string]int{
		"http://127.0.0.1:3089": 200,
		"http://127.0.0.1:3090": 403, "http://localhost:3089": 403, "http://other.example": 403, "null": 403, "": 403, "://": 403,
	} {
		require.Equal(t, code, answer(h, "/", func(r *http.Request) { r.Header.Set("Origin", origin) }).Code, "%q", origin)
	}
}

func TestUnknownPathsAndMethodsAreRefused(t *testing.T) {
	h, _ := newHandler(t, new(socks.Client))
	require.Equal(t, 404, answer(h, "/etc/passwd", func(*http.Request) {}).Code)
	require.Equal(t, 200, answer(h, "/debug/status/", func(*http.Request) {}).Code, "wherever it is mounted")
	require.Equal(t, 500, answer(new(Handler), "/", func(*http.Request) {}).Code)
	require.Equal(t, 500, answer(New(new(dialer.Dialer)), "/events", func(*http.Request) {}).Code)
	require.Equal(t, 405, answer(h, "/", func(r *http.Request) { r.Method = http.MethodPost }).Code)
}

// A nonce, new for each request, allows the script and the style, and nothing else.
func TestPolicyAllowsOnlyThePagesOwnScript(t *testing.T) {
	h, _ := newHandler(t, new(socks.Client))
	nonces := make(map[string]bool)
	for range 2 {
		w := answer(h, "/", func(*http.Request) {})
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

// events returns n events of a stream.
func events(t *testing.T, url string, n int) (all []snapshot) {
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
			var s snapshot
			require.NoError(t, json.Unmarshal([]byte(data), &s))
			all = append(all, s)
		}
	}
	require.Len(t, all, n)
	return all
}

func TestEventsAreSnapshots(t *testing.T) {
	h, _ := newHandler(t, new(socks.Client))
	h.Every = time.Millisecond
	site := httptest.NewServer(h)
	defer site.Close()
	defer http.DefaultClient.CloseIdleConnections()
	for _, name := range []string{"a.example", "b.example", "c.test"} {
		_, err := h.table.Assign("ip4", name)
		require.NoError(t, err)
	}
	for _, s := range events(t, site.URL+"/events?search=EXAMPLE&sort=name&reverse", 3) {
		require.Equal(t, 3, s.Totals.Names)
		require.Equal(t, 2, s.Matches)
		require.Equal(t, "b.example", s.Names[0].Name)
		require.Equal(t, "a.example", s.Names[1].Name)
	}
}

// A browser marks a request that another site makes, even if it sends no Origin.
func TestEventsAreThePagesOwn(t *testing.T) {
	h, _ := newHandler(t, new(socks.Client))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for site, code := range map[string]int{"": 200, "same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403, "anything": 403} {
		w := answer(h, "/events", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", site)
			*r = *r.WithContext(ended)
		})
		require.Equal(t, code, w.Code, site)
	}
	require.Equal(t, 200, answer(h, "/", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }).Code, "a link leads to the page")
}

func TestStreamsAreBounded(t *testing.T) {
	h, _ := newHandler(t, new(socks.Client))
	site := httptest.NewServer(h)
	defer site.Close()
	client := site.Client()
	get := func() *http.Response {
		resp, err := client.Get(site.URL + "/events")
		require.NoError(t, err)
		return resp
	}
	var streams []*http.Response
	for range mostStreams {
		resp := get()
		defer resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
		streams = append(streams, resp)
	}
	refused := get()
	refused.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))

	streams[0].Body.Close()
	require.Eventually(t, func() bool { return h.streams.Load() < mostStreams }, 10*time.Second, time.Millisecond)
	next := get()
	next.Body.Close()
	require.Equal(t, http.StatusOK, next.StatusCode)
}
