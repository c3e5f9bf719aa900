package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// distant are addresses, one per family, for which the gateway connects to the destination: a loopback address
// would be the gateway's own, and has no fake in the other family.
var distant = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

// start starts g, and returns its URL with credentials.
func start(t *testing.T, g *testgw.Gateway, destination netip.Addr) string {
	g.Hosts = map[string][]netip.Addr{name: {destination}}
	for _, a := range distant {
		g.Hosts[a.String()] = []netip.Addr{destination}
	}
	testgw.Start(t, g)
	if len(g.Users) == 0 {
		return g.URL()
	}
	return withUser(g.Addr().String(), password)
}

func withUser(addr, password string) string { return "socks5://" + user + ":" + password + "@" + addr }

// httpget works through the bundled gateway, by a name that only the gateway knows, without and with credentials.
func TestGetUsesANameThatOnlyTheGatewayKnows(t *testing.T) {
	httpget := program(t)
	onEach(t, func(t *testing.T, destination netip.Addr) {
		port := serve(t, destination)
		for _, users := range []map[string]string{nil, {user: password}} {
			g := &testgw.Gateway{Users: users}
			gateway := start(t, g, destination)
			r := execute(t, httpget, nil, "-gateway", gateway, asksFor(port, "/"))
			require.Equal(t, result{exitOK, "this is " + name + ":" + port, ""}, r)
			r = execute(t, httpget, []string{"ALL_PROXY=" + gateway}, asksFor(port, "/"))
			require.Equal(t, result{exitOK, "this is " + name + ":" + port, ""}, r)

			requests := g.Requests()
			require.Len(t, requests, 2)
			for _, q := range requests {
				require.Equal(t, testgw.Name, q.ATYP)
				require.Equal(t, name+":"+port, q.String())
				require.Equal(t, users != nil, q.User == user)
			}
		}
	})
}

func TestFlagsChangeTheRequest(t *testing.T) {
	httpget := program(t)
	g := new(testgw.Gateway)
	gateway := start(t, g, loopback4)
	port := serve(t, loopback4)
	get := func(args ...string) result {
		return execute(t, httpget, nil, append([]string{"-gateway", gateway}, args...)...)
	}

	r := get("-I", asksFor(port, "/"))
	require.Equal(t, exitOK, r.code)
	require.True(t, strings.HasPrefix(r.stdout, "HTTP/1.1 200 OK\r\n"), r.stdout)
	require.Contains(t, r.stdout, "\r\nContent-Type: text/plain")
	require.NotContains(t, r.stdout, "this is")

	r = get(asksFor(port, "/404"))
	require.Equal(t, result{exitOK, "404 page not found\n", ""}, r)
	r = get("-f", asksFor(port, "/404"))
	require.Equal(t, result{exitStatus, "", "httpget: the server answers: 404 Not Found\n"}, r)
	require.Equal(t, exitStatus, get("-f", "-I", asksFor(port, "/404")).code)
	require.Equal(t, exitOK, get("-f", asksFor(port, "/")).code)

	asked := len(g.Requests())
	r = get("-I", asksFor(port, "/moved"))
	require.Contains(t, r.stdout, "Location: /\r\n")
	require.Len(t, g.Requests(), asked+1)

	withSecret := strings.Replace(asksFor(port, "/"), "http://", "http://"+user+":"+password+"@", 1)
	require.Equal(t, exitOK, get("-v", withSecret).code)
}

// -v prints each step, and the address that stands for the name.
func TestVerbosePrintsEachStep(t *testing.T) {
	httpget := program(t)
	port := serve(t, loopback4)
	gateway := start(t, &testgw.Gateway{Users: map[string]string{user: password}}, loopback4)
	for flag, prefix := range map[string]string{"": "2", "-4": "2", "-6": "100:"} { // 240.0.0.0/4 and 100::/64
		args := []string{"-v", "-gateway", gateway, asksFor(port, "/")}
		if flag != "" {
			args = append([]string{flag}, args...)
		}
		r := execute(t, httpget, nil, args...)
		require.Equal(t, exitOK, r.code, r.stderr)
		require.Equal(t, "this is "+name+":"+port, r.stdout)
		told := make(map[string]string)
		for line := range strings.Lines(r.stderr) {
			fields := strings.Fields(line)
			require.Equal(t, "ms", fields[1])
			told[fields[2]] = strings.Join(fields[3:], " ")
		}
		require.Equal(t, name, told["asked"])
		fake, for_, ok := strings.Cut(told["fake"], " stands for ")
		require.True(t, ok && for_ == name && strings.HasPrefix(fake, prefix), told["fake"])
		require.Contains(t, told["gateway"], "connected in ")
		require.Equal(t, "user and password", told["method"])
		require.Equal(t, "CONNECT "+name+":"+port, told["request"])
		require.Contains(t, told["reply"], "granted; the gateway connects from 127.0.0.1:")
		require.Contains(t, told["connected"], fake)
		require.Contains(t, told["connected"], " through the gateway")
		require.Equal(t, "HTTP/1.1 200 OK", told["answer"])
		require.Contains(t, told["body"], " bytes")
	}
}

// The gateway gets a literal unchanged, even if the program asked for the other family.
func TestLiteralReachesTheGatewayUnchanged(t *testing.T) {
	httpget := program(t)
	onEach(t, func(t *testing.T, destination netip.Addr) {
		g := new(testgw.Gateway)
		gateway := start(t, g, destination)
		port := serve(t, destination)
		for _, asked := range distant {
			host := net.JoinHostPort(asked.String(), port)
			for _, args := range [][]string{{}, {"-4"}, {"-6"}} {
				r := execute(t, httpget, nil, append(args, "-gateway", gateway, "http://"+host)...)
				require.Equal(t, result{exitOK, "this is " + host, ""}, r)
				q := g.Requests()
				require.Equal(t, asked, q[len(q)-1].IP)
			}
		}
	})
}

// Hosts in NO_PROXY are reached without the gateway, and -v says so.
func TestNoProxyBypassesTheGateway(t *testing.T) {
	httpget := program(t)
	g := new(testgw.Gateway)
	env := []string{"ALL_PROXY=" + start(t, g, loopback4), "NO_PROXY=127.0.0.0/8"}
	r := execute(t, httpget, env, "-v", "http://127.0.0.1:"+serve(t, loopback4))
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Contains(t, r.stderr, "directly, by NO_PROXY")
	r = execute(t, httpget, env, "http://127.0.0.1:"+closedPort)
	require.Equal(t, exitDestination, r.code, r.stderr)
	require.Empty(t, g.Requests())
}

// exitCase is a failure with its exit status and message.
type exitCase struct {
	gateway *testgw.Gateway
	url     string // of the gateway; empty: the gateway's own
	get     string
	code    int
	message string
}

// exitCases returns a case of each kind of failure, for a web server at port.
func exitCases(port string) map[string]exitCase {
	users := map[string]string{user: password}
	replies := func(rep socks.Reply) *testgw.Gateway {
		return &testgw.Gateway{Misbehave: func(int) testgw.Fault {
			return testgw.Fault{Answer: func(at testgw.Stage, b []byte) []byte {
				if at == testgw.StageReply {
					b[1] = byte(rep)
				}
				return b
			}}
		}}
	}
	silent := func(at testgw.Stage) *testgw.Gateway {
		return &testgw.Gateway{Misbehave: func(int) testgw.Fault { return testgw.Fault{Silent: at} }}
	}
	hangsUp := &testgw.Gateway{Misbehave: func(int) testgw.Fault { return testgw.Fault{End: testgw.FIN} }}
	garbage := &testgw.Gateway{Misbehave: func(int) testgw.Fault {
		return testgw.Fault{Answer: func(testgw.Stage, []byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }}
	}}
	return map[string]exitCase{
		"gateway is dead":       {nil, "socks5://127.0.0.1:" + closedPort, asksFor(port, "/"), exitGateway, "the gateway is not working"},
		"gateway is not SOCKS":  {garbage, "", asksFor(port, "/"), exitGateway, "HTTP"},
		"gateway hangs up":      {hangsUp, "", asksFor(port, "/"), exitGateway, "hung up"},
		"wrong password":        {&testgw.Gateway{Users: users}, "wrong", asksFor(port, "/"), exitCredentials, "the gateway does not let us in"},
		"no password":           {&testgw.Gateway{Users: users}, "none", asksFor(port, "/"), exitCredentials, "the gateway does not let us in"},
		"destination refuses":   {new(testgw.Gateway), "", asksFor(closedPort, "/"), exitDestination, "connection refused"},
		"literal refuses":       {new(testgw.Gateway), "", "http://127.0.0.1:" + closedPort, exitDestination, "connection refused"},
		"not allowed":           {replies(socks.ErrNotAllowed), "", asksFor(port, "/"), exitDestination, "rules"},
		"network unreachable":   {replies(socks.ErrNetworkUnreachable), "", asksFor(port, "/"), exitDestination, "network unreachable"},
		"literal unreachable":   {replies(socks.ErrHostUnreachable), "", "http://127.0.0.1:" + port, exitDestination, "host unreachable"},
		"unknown name":          {new(testgw.Gateway), "", "http://unknown.test/", exitName, "the gateway does not know the name"},
		"unreachable name":      {replies(socks.ErrHostUnreachable), "", asksFor(port, "/"), exitName, "the gateway does not know the name"},
		"failure for a name":    {replies(socks.ErrGeneralFailure), "", asksFor(port, "/"), exitName, "the gateway does not know the name"},
		"gateway gives up":      {replies(socks.ErrTTLExpired), "", asksFor(port, "/"), exitTimeout, "the destination does not answer the gateway"},
		"silent at greeting":    {silent(testgw.StageMethod), "", asksFor(port, "/"), exitTimeout, "timed out waiting for the gateway to let us in"},
		"silent at the request": {silent(testgw.StageReply), "", asksFor(port, "/"), exitTimeout, "timed out waiting for the gateway to connect"},
		"silent server":         {new(testgw.Gateway), "", asksFor(port, "/silent"), exitTimeout, "timed out waiting for the server to answer"},
		"cut body":              {new(testgw.Gateway), "", asksFor(port, "/cut"), exitOther, "the transfer failed"},
		"no TLS":                {new(testgw.Gateway), "", strings.Replace(asksFor(port, "/"), "http", "https", 1), exitOther, "the transfer failed"},
	}
}

// Each kind of failure has its status and its message.
func TestExitStatusTellsTheCause(t *testing.T) {
	httpget := program(t)
	for what, tt := range exitCases(serve(t, loopback4)) {
		t.Run(what, func(t *testing.T) {
			url := tt.url
			if tt.gateway != nil {
				url = start(t, tt.gateway, loopback4)
			}
			switch tt.url {
			case "wrong":
				url = withUser(tt.gateway.Addr().String(), "not"+password)
			case "none":
				url = tt.gateway.URL()
			}
			t.Parallel()
			timeout := "20s"
			if strings.HasPrefix(tt.message, "timed out") {
				timeout = "1500ms"
			}
			r := execute(t, httpget, nil, "-timeout", timeout, "-gateway", url, tt.get)
			require.Equal(t, tt.code, r.code, r.stderr)
			require.Contains(t, r.stderr, tt.message)
			require.True(t, strings.HasPrefix(r.stderr, "httpget: "), r.stderr)
			require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
			if what != "cut body" {
				require.Empty(t, r.stdout)
			}
		})
	}
}
