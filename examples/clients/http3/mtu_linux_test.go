package http3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// roleVar is the environment variable with the side of a process of this test.
const roleVar = "SOCKSLIB_MTU_ROLE"

// The two ends of the link, and the lengths of the names that the gateway knows. The SOCKS header has 7 bytes more.
var (
	ends  = map[string][2]string{"IPv4": {"10.9.0.1", "10.9.0.2"}, "IPv6": {"fd09::1", "fd09::2"}}
	sizes = []int{9, 45, 208}

	overhead = map[string]int{"IPv4": 20 + 8, "IPv6": 40 + 8} // of the IP and UDP headers
)

// leastQUIC is the datagram size that every path of QUIC must support (RFC 9000, section 14).
const leastQUIC = 1200

func nameOf(size int) string {
	name := "n"
	for len(name) < size {
		name += strings.Repeat("a", min(50, size-len(name)-1)) + "."
	}
	return name[:size-1] + "z"
}

// TestMTU: HTTP/3 works across links with an MTU of 1280 and 1500 bytes, in both families, with names of any
// length, although the SOCKS header makes QUIC's packets longer than QUIC assumes.
func TestMTU(t *testing.T) {
	switch os.Getenv(roleVar) {
	case "client":
		mtuClient(t)
		return
	case "server":
		mtuServer(t)
		return
	}
	need.Path(t, "ip", "iproute2")
	if err := exec.Command("unshare", "-rn", "true").Run(); err != nil {
		need.All(t, fmt.Errorf("network namespaces of a user: %w", err))
	}
	cmd := inNamespace("client", syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET)
	out, err := cmd.CombinedOutput()
	t.Log(string(out))
	require.NoError(t, err)
	require.Contains(t, string(out), "PASS: TestMTU", "it ran")
}

func inNamespace(role string, flags uintptr) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestMTU$", "-test.v", "-test.timeout=100s")
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags&syscall.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

func ip(t *testing.T, args string) {
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", args, out)
}

// up gives one end of the link its addresses.
func up(t *testing.T, device string, end int) {
	ip(t, "link set lo up")
	ip(t, "addr add "+ends["IPv4"][end]+"/24 dev "+device)
	ip(t, "addr add "+ends["IPv6"][end]+"/64 dev "+device+" nodad")
	ip(t, "link set "+device+" up")
}

// mtuServer runs a gateway and a server behind it, in another namespace. The first line of input says that
// the link is ready, and further lines set its MTU.
func mtuServer(t *testing.T) {
	in := bufio.NewReader(os.Stdin)
	_, err := in.ReadString('\n')
	require.NoError(t, err)
	up(t, "far", 1)
	serverTLS, _ := behind.TLS(t)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}
	go server.Serve(packets) // ends with the process
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{}}
	for _, size := range sizes {
		g.Hosts[nameOf(size)] = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	require.NoError(t, g.Start("tcp", ":0"))
	fmt.Println("\nports", port(g.Addr()), port(packets.LocalAddr()))
	for { // until the client ends
		mtu, err := in.ReadString('\n')
		if err != nil {
			os.Exit(0)
		}
		ip(t, "link set far mtu "+mtu)
		fmt.Println("\nset")
	}
}

func port(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

func mtuClient(t *testing.T) {
	ip(t, "link add near type veth peer name far")
	server := inNamespace("server", syscall.CLONE_NEWNET)
	in, err := server.StdinPipe()
	require.NoError(t, err)
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	server.Stderr = os.Stderr
	require.NoError(t, server.Start())
	defer server.Wait()
	defer in.Close()
	ip(t, fmt.Sprint("link set far netns ", server.Process.Pid))
	up(t, "near", 0)
	fmt.Fprintln(in, "there")
	var gateway, destination string
	lines := bufio.NewReader(out)
	for gateway == "" {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		fmt.Sscanf(line, "ports %s %s", &gateway, &destination)
	}
	for _, mtu := range []int{1500, 1280} {
		ip(t, fmt.Sprint("link set near mtu ", mtu))
		fmt.Fprintln(in, mtu)
		for line := ""; line != "set\n"; {
			line, err = lines.ReadString('\n')
			require.NoError(t, err)
		}
		for family, end := range ends {
			for _, size := range sizes {
				before := fragments(t)
				stats, took := mtuTransfer(t, net.JoinHostPort(end[1], gateway), net.JoinHostPort(nameOf(size), destination))
				made := fragments(t) - before
				t.Logf("MTU %d, %s, name of %d bytes: %v, %d datagrams sent, %d fragments", mtu, family, size, took.Round(time.Millisecond), stats.Sent, made)
				require.Equal(t, leastQUIC+7+size+overhead[family] > mtu, made > 0, "fragments are made only if QUIC's smallest packets are too long")
			}
		}
	}
}

// mtuTransfer posts a MiB and checks that it comes back.
func mtuTransfer(t *testing.T, gateway, to string) (dialer.PacketStats, time.Duration) {
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	_, clientTLS := behind.TLS(t)
	clientTLS = clientTLS.Clone()
	clientTLS.InsecureSkipVerify = true // the server's certificate is another process's
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	begun := time.Now()
	client, err := NewClient(ctx, &dialer.Dialer{Gateway: &socks.Client{Addr: gateway}, Table: table}, clientTLS)
	require.NoError(t, err)
	defer client.Close()
	sent := make([]byte, 1<<20)
	rand.Read(sent)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+to, bytes.NewReader(sent))
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, got), "the echo differs")
	return client.packets.(*dialer.PacketConn).Stats(), time.Since(begun)
}

// fragments returns the number of fragments that this namespace has made.
func fragments(t *testing.T) (n int) {
	six, err := os.ReadFile("/proc/net/snmp6")
	require.NoError(t, err)
	for line := range strings.Lines(string(six)) {
		var made int
		if _, err := fmt.Sscanf(line, "Ip6FragCreates %d", &made); err == nil {
			n += made
		}
	}
	four, err := os.ReadFile("/proc/net/snmp")
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(four)) {
		fields := strings.Fields(line)
		if fields[0] != "Ip:" {
			continue
		}
		for i, name := range names {
			if name == "FragCreates" {
				var made int
				fmt.Sscan(fields[i], &made)
				n += made
			}
		}
		names = fields
	}
	return n
}
