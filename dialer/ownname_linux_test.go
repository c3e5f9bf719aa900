package dialer_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/resolver"
	"github.com/sockslib/sockslib/socks"
)

// Names in the namespaces of TestOwnNames that only its DNS server knows.
const (
	gatewayName = "gateway.test"
	directName  = "direct.test"
	deadName    = "dead.test" // has no listener
)

const (
	ownNamesConf = "DIALER_TEST_RESOLV_CONF" // the file to mount over resolvConf, in the process in the namespaces
	resolvConf   = "/etc/resolv.conf"
	ownDNS       = "127.0.0.53"
	cannotMount  = "cannot mount:"
)

// If net.DefaultResolver is a resolver.Resolver's, which knows every name, the names of gateways and of Direct
// destinations are still looked up by the system, for every kind of Gateway. The test runs in a child process, in
// mount and network namespaces with its own DNS server.
func TestOwnNames(t *testing.T) {
	if conf := os.Getenv(ownNamesConf); conf != "" {
		inOwnNamesWorld(t, conf)
		return
	}
	unshare := need.Path(t, "unshare", "util-linux")
	need.All(t, need.Namespaces())
	args := []string{"--mount", "--net"}
	if need.Root() != nil {
		args = append(args, "--map-root-user")
	}
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(conf, []byte("nameserver "+ownDNS+"\n"), 0o600))
	cmd := exec.Command(unshare, append(args, os.Args[0], "-test.run=^TestOwnNames$", "-test.v")...)
	cmd.Env = append(os.Environ(), ownNamesConf+"="+conf)
	out, err := cmd.CombinedOutput()
	if _, why, ok := strings.Cut(string(out), cannotMount); ok {
		why, _, _ = strings.Cut(why, "\n")
		need.All(t, errors.New(resolvConf+", to mount over it:"+why))
	}
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestOwnNames/chain")
}

func inOwnNamesWorld(t *testing.T, conf string) {
	if err := syscall.Mount(conf, resolvConf, "", syscall.MS_BIND, ""); err != nil {
		fmt.Println(cannotMount, err)
		return
	}
	require.NoError(t, loopbackUp())
	serveDNS(t)
	table := newTable(t, mapping.Config{})
	kept := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = kept })
	net.DefaultResolver = (&resolver.Resolver{Table: table}).NetResolver()
	addrs, err := net.LookupHost(gatewayName)
	require.NoError(t, err)
	require.True(t, table.Contains(netip.MustParseAddr(addrs[0])), "the application's lookups return fake addresses")
	table.Flush()

	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	gateway := at(gatewayName, uint16(g.Addr().(*net.TCPAddr).Port))
	for what, way := range map[string]dialer.Gateway{
		"client":    &socks.Client{Addr: gateway},
		"pipelined": &socks.Client{Addr: gateway, Handshake: socks.HandshakePipelined},
		"spares":    &socks.Client{Addr: gateway, Spare: 2},
		"group":     &socks.Group{Clients: []*socks.Client{{Addr: at(deadName, 1)}, {Addr: gateway, Spare: 1}}},
		"chain":     &socks.Client{Addr: g.Addr().String(), Forward: &socks.Client{Addr: gateway}},
	} {
		t.Run(what, func(t *testing.T) { ownNames(t, g, &dialer.Dialer{Gateway: way, Table: table}) })
	}
}

// ownNames makes every kind of connection, through the gateway and directly.
func ownNames(t *testing.T, g *testgw.Gateway, d *dialer.Dialer) {
	d.Direct = func(_, address string) bool { return strings.HasPrefix(address, directName) }
	defer d.Close()
	port := echo(t, loopback4)
	for range 4 { // uses spare connections, if there are any
		c, err := d.Dial("tcp", at(name, port))
		require.NoError(t, err)
		echoes(t, c)
		require.NoError(t, c.Close())
		time.Sleep(10 * time.Millisecond)
	}
	if c, ok := d.Gateway.(*socks.Client); ok && c.Spare > 0 {
		require.NotZero(t, c.Stats().SpareHits)
	}
	answers := newResponder(t)
	u, err := d.Dial("udp", at(name, answers.port))
	require.NoError(t, err)
	require.NoError(t, u.Close())
	l, err := d.Listen(t.Context(), "tcp", "")
	require.NoError(t, err)
	require.NoError(t, l.Close())

	before := len(g.Requests())
	for _, own := range []*net.Dialer{nil, {}, {Timeout: patience}} {
		d.Net = own
		for _, host := range []any{directName, assign(t, d, "ip4", directName)} {
			c, err := d.Dial("tcp4", at(host, port))
			require.NoError(t, err)
			require.IsType(t, (*net.TCPConn)(nil), c)
			echoes(t, c)
			require.NoError(t, c.Close())
		}
	}
	require.Len(t, g.Requests(), before)
	for e := range d.Table.All() {
		require.NotContains(t, []string{gatewayName, deadName}, e.Name, "a name of the test has a fake address")
	}
}

// serveDNS answers A queries for the test's names, at ownDNS.
func serveDNS(t *testing.T) {
	p, err := net.ListenPacket("udp", ownDNS+":53")
	require.NoError(t, err)
	s := &dns.Server{PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		switch name := strings.TrimSuffix(q.Question[0].Name, "."); {
		case name != gatewayName && name != directName && name != deadName:
			m.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeA:
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: loopback4.AsSlice()}}
		}
		_ = w.WriteMsg(m)
	})}
	ended := make(chan error)
	go func() { ended <- s.ActivateAndServe() }() // owned by the test, which waits for ended; Shutdown ends it
	t.Cleanup(func() { _ = p.Close(); <-ended })
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}
