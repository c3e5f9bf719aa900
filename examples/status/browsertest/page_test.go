package browsertest

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/dialer/status"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// program is a program with a status page.
type program struct {
	dialer *dialer.Dialer
	table  *mapping.Table
	url    string
}

// start starts a program behind g, for which every name stands for a server that waits. If g fails, the program
// uses the other gateways.
func start(t *testing.T, g *sockstest.Server, more ...*socks.Client) *program {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	g.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
	}
	g.Start()
	t.Cleanup(g.Close)

	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: &socks.Group{Clients: append([]*socks.Client{g.Client()}, more...)}, Table: table}
	page := status.New(d)
	page.Every = 50 * time.Millisecond
	site := httptest.NewServer(page)
	t.Cleanup(site.Close)
	return &program{d, table, site.URL}
}

// dial keeps a connection to a name open until the test ends.
func (p *program) dial(t *testing.T, name string) net.Conn {
	t.Helper()
	c, err := p.dialer.Dial("tcp", name+":80")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// column returns a JavaScript expression for the array of the names in the first column of a table.
func column(table string) string {
	return fmt.Sprintf(`Array.from(document.querySelectorAll("#%s tbody td:first-child"), (td) => td.firstChild.textContent)`, table)
}

func TestNamesComeAndGoWithoutReload(t *testing.T) {
	p := start(t, new(sockstest.Server))
	first := p.dial(t, "first.example")
	tab := browser(t)
	run(t, tab, chromedp.Navigate(p.url), chromedp.WaitVisible(chromedp.CSS("#connections td")))
	require.Equal(t, []string{"first.example"}, value[[]string](t, tab, column("connections")))
	require.Equal(t, []string{"first.example"}, value[[]string](t, tab, column("names")))
	require.Contains(t, value[string](t, tab, `document.querySelector("#connections").innerText`), netip.MustParseAddrPort(first.RemoteAddr().String()).Addr().String())

	value[int](t, tab, `window.loaded = 1`) // a reload would forget it
	p.dial(t, "second.example")
	eventually(t, tab, column("connections")+`.join() === "second.example,first.example"`)
	require.Equal(t, "2", value[string](t, tab, `document.getElementById("granted").textContent`))

	_, err := first.Write(make([]byte, 2000))
	require.NoError(t, err)
	eventually(t, tab, `document.getElementById("connections").innerText.includes("2.0 KiB")`)
	require.NoError(t, first.Close())
	eventually(t, tab, column("connections")+`.join() === "second.example"`)
	require.Equal(t, 1, value[int](t, tab, `window.loaded`))
}

// The chart has a description for screen readers.
func TestChartIsSpoken(t *testing.T) {
	p := start(t, new(sockstest.Server))
	p.dial(t, "first.example")
	tab := browser(t)
	run(t, tab, chromedp.Navigate(p.url), chromedp.WaitVisible(chromedp.CSS("#chart circle")))
	quantiles := value[string](t, tab, `document.getElementById("quantiles").textContent`)
	require.Contains(t, quantiles, "median")
	var spoken []string
	run(t, tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		tree, err := cdp.Call(ctx, tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, n := range tree.Nodes {
			if n.Role != nil && (string(n.Role.Value) == `"image"` || string(n.Role.Value) == `"img"`) {
				spoken = append(spoken, string(n.Name.Value))
			}
		}
		return nil
	}))
	require.Len(t, spoken, 1)
	require.Contains(t, spoken[0], "Dial times, ")
	require.Contains(t, spoken[0], "median")
}

func TestFilterAndSort(t *testing.T) {
	p := start(t, new(sockstest.Server))
	for _, name := range []string{"mail.example", "api.example", "www.other.example", "zeta.example"} {
		_, err := p.table.Assign("ip4", name)
		require.NoError(t, err)
		time.Sleep(5 * time.Millisecond) // otherwise the names have the same time
	}
	p.dial(t, "api.example")
	tab := browser(t)
	names := column("names") + `.join(" ")`
	by := func(what string) chromedp.Action[chromedp.Void] {
		return chromedp.Click(chromedp.CSS(`[data-sort="` + what + `"]`))
	}

	run(t, tab, chromedp.Navigate(p.url), chromedp.WaitVisible(chromedp.CSS("#names td")))
	require.Equal(t, "zeta.example www.other.example api.example mail.example", value[string](t, tab, names), "the last one first")
	run(t, tab, by("name"))
	eventually(t, tab, names+` === "api.example mail.example www.other.example zeta.example"`)
	require.Equal(t, "ascending", value[string](t, tab, `document.querySelector("[data-sort=name]").closest("th").getAttribute("aria-sort")`))
	run(t, tab, by("name"))
	eventually(t, tab, names+` === "zeta.example www.other.example mail.example api.example"`)
	run(t, tab, by("leases"))
	eventually(t, tab, names+` === "api.example mail.example www.other.example zeta.example"`)

	run(t, tab, chromedp.SendKeys(chromedp.CSS("#search"), "OTHER"))
	eventually(t, tab, names+` === "www.other.example"`)
	require.Equal(t, "1 of 4 names", value[string](t, tab, `document.getElementById("names-count").textContent`))
	run(t, tab, chromedp.SendKeys(chromedp.CSS("#search"), "wise"))
	eventually(t, tab, `!document.getElementById("names-none").hidden`)

	fake, err := p.table.Assign("ip6", "mail.example")
	require.NoError(t, err)
	value[string](t, tab, `document.getElementById("search").value = ""`)
	run(t, tab, chromedp.SendKeys(chromedp.CSS("#search"), fake.String()))
	eventually(t, tab, names+` === "mail.example"`)
}

// Text that is not a host name is not accepted by the table, nor by the library from a gateway. Only text that was
// given to the program itself, such as the address of a gateway, reaches the page.
func TestHostileTextStaysText(t *testing.T) {
	const hostile = `<img src=x onerror="hacked=1"><script>hacked=1</script>`
	p := start(t, new(sockstest.Server), &socks.Client{Addr: hostile})
	_, err := p.table.Assign("ip4", hostile)
	require.ErrorIs(t, err, mapping.ErrBadName)
	liar := start(t, &sockstest.Server{Misbehave: func(int) sockstest.Fault {
		return sockstest.Fault{Answer: func(at sockstest.Stage, answer []byte) []byte {
			if at != sockstest.StageReply {
				return answer
			}
			return append(append([]byte{5, 0, 0, 3, byte(len(hostile))}, hostile...), 0, 80)
		}}
	}})
	_, err = liar.dialer.Dial("tcp", "victim.example:80")
	require.ErrorIs(t, err, socks.ErrProtocol)

	p.dial(t, "victim.example")
	tab := browser(t)
	run(t, tab, chromedp.Navigate(p.url), chromedp.WaitVisible(chromedp.CSS("#connections td")))
	require.Equal(t, hostile, value[[]string](t, tab, column("gateways"))[1])

	// The page escapes every text of its data, even if the checks before it fail.
	value[bool](t, tab, `(() => {
		source.close();
		const text = `+"`"+hostile+"`"+`;
		last.Names = [{ Name: text, IPv4: text, IPv6: text, Ago: 1, Leases: 1 }];
		for (const g of last.Gateways) Object.assign(g, { Address: text, Error: text, State: "rests" });
		for (const c of last.Connections) Object.assign(c, { Host: text, Port: text, Network: text, Fake: text, Gateway: text, Bound: text });
		show(last);
		return true;
	})()`)
	require.Contains(t, value[[]string](t, tab, column("names")), hostile)
	require.Equal(t, 0, value[int](t, tab, `document.querySelectorAll("img, main script").length`))
	require.Equal(t, "undefined", value[string](t, tab, `typeof hacked`))

	// If a script became part of the document, the policy would not let it run.
	require.Equal(t, "script-src-attr", value[string](t, tab, `(() => {
		const refused = new Promise((resolve) => addEventListener("securitypolicyviolation", (e) => resolve(e.effectiveDirective)));
		document.body.insertAdjacentHTML("beforeend", '<b onclick="hacked=1"></b>');
		return refused;
	})()`, chromedp.EvalAwaitPromise))
	require.Equal(t, "undefined", value[string](t, tab, `typeof hacked`))
}

// A site whose name resolves to loopback gets neither the page nor its events.
func TestRebinding(t *testing.T) {
	p := start(t, new(sockstest.Server))
	p.dial(t, "secret.example")
	u, err := url.Parse(p.url)
	require.NoError(t, err)
	tab := browser(t)
	run(t, tab, chromedp.Navigate("http://rebound.example:"+u.Port()+"/"))
	require.NotContains(t, value[string](t, tab, `document.documentElement.innerText`), "secret.example")
	require.Equal(t, 403, value[int](t, tab, `fetch("/events").then((r) => r.status)`, chromedp.EvalAwaitPromise))

	run(t, tab, chromedp.Navigate(strings.Replace(p.url, "127.0.0.1", "localhost", 1)), chromedp.WaitVisible(chromedp.CSS("#connections td")))
	require.Equal(t, []string{"secret.example"}, value[[]string](t, tab, column("connections")))
}
