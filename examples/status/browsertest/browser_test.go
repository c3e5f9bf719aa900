package browsertest

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/internal/need"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// patience limits each step in the browser.
const patience = 90 * time.Second

// browser starts chromium for a test, without a profile or a network, and returns the context of its only tab.
// Every name resolves to this machine, so that a test can imitate any site.
func browser(t *testing.T, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := need.Path(t, "chromium", "chromium")
	flags = append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
	}, flags...)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(cancel)
	tab, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(tab)) // starts it for the life of tab, not of the first action
	limited, stop := context.WithTimeout(tab, 2*patience)
	t.Cleanup(stop)
	return limited
}

// run runs the actions in order.
func run(t *testing.T, tab context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(tab, actions...))
}

// eventually waits until a JavaScript expression is true.
func eventually(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	_, err := chromedp.Run(tab, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(patience)))
	require.NoError(t, err, "%s\n%s", expression, value[string](t, tab, `document.body.innerText`))
}

// value returns the value of a JavaScript expression.
func value[T any](t *testing.T, tab context.Context, expression string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[T](expression, options...))
	require.NoError(t, err, expression)
	return v
}
