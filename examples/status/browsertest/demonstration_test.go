package browsertest

import (
	"bufio"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var screenshot = flag.String("screenshot", "", "`file` for a picture of the page; empty: none")

// TestDemonstration runs the program, checks its page, light and dark, wide and narrow, and interrupts the
// program.
func TestDemonstration(t *testing.T) {
	tab := browser(t)
	url := demonstration(t)

	colour := func(scheme string) chromedp.Action[chromedp.Void] {
		return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
			return err
		})
	}
	run(t, tab, colour("light"), chromedp.EmulateViewport(1180, 900, chromedp.EmulateScale(2)), chromedp.Navigate(url))
	eventually(t, tab, `document.getElementById("live").textContent === "live"`)
	eventually(t, tab, `document.querySelectorAll("#gateways tbody tr").length === 3`)
	eventually(t, tab, `document.querySelectorAll("#connections tbody tr").length >= 6`)
	eventually(t, tab, `document.querySelectorAll("#names tbody tr").length >= 12`)
	eventually(t, tab, `document.querySelectorAll("#chart circle").length >= 8`)
	if *screenshot != "" { // the page must have data
		eventually(t, tab, `document.querySelector("#gateways .rests") && document.querySelectorAll("#chart circle").length >= 160`)
	}
	light := take(t, tab, *screenshot)

	run(t, tab, colour("dark"))
	require.NotEqual(t, light, take(t, tab, beside(*screenshot, "dark")))

	run(t, tab, chromedp.EmulateViewport(400, 2100, chromedp.EmulateScale(2)))
	eventually(t, tab, `document.getElementById("chart").clientWidth < 400`)
	require.LessOrEqual(t, value[int](t, tab, `document.documentElement.scrollWidth`), 400, "it would have to be scrolled sideways")
	take(t, tab, beside(*screenshot, "narrow"))
}

// beside returns the file for another picture, or "" if screenshot is empty.
func beside(screenshot, what string) string {
	if screenshot == "" {
		return ""
	}
	return filepath.Join(os.TempDir(), "status-"+what+".png")
}

// take takes a picture of the page.
func take(t *testing.T, tab context.Context, file string) []byte {
	t.Helper()
	png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NotEmpty(t, png)
	if file != "" {
		require.NoError(t, os.WriteFile(file, png, 0o644))
	}
	return png
}

// demonstration starts examples/status, and returns the URL that it prints. The end of the test interrupts it, and
// requires that it exits without an error.
func demonstration(t *testing.T) string {
	binary := filepath.Join(t.TempDir(), "status")
	build := exec.Command("go", "build", "-o", binary, "./examples/status")
	build.Dir = "../../.." // the library's own module
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(binary, "-listen", "127.0.0.1:0", "-duration", "5m")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		require.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.Fields(line)[len(strings.Fields(line))-1]
}
