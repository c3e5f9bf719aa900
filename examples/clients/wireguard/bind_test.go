package wireguard

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/tuntest"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// tunnel is one end of a tunnel.
type tunnel struct {
	*device.Device
	tun *tuntest.ChannelTUN
	ip  netip.Addr
}

func start(t *testing.T, bind conn.Bind, own, peer *ecdh.PrivateKey, ip, peerIP netip.Addr, endpoint string) tunnel {
	tun := tuntest.NewChannelTUN()
	d := device.NewDevice(tun.TUN(), bind, device.NewLogger(device.LogLevelError, ""))
	t.Cleanup(d.Close)
	config := fmt.Sprintf("private_key=%s\npublic_key=%s\nallowed_ip=%s/32\n", hex.EncodeToString(own.Bytes()), hex.EncodeToString(peer.PublicKey().Bytes()), peerIP)
	if endpoint != "" {
		config += "endpoint=" + endpoint + "\n"
	}
	require.NoError(t, d.IpcSet(config))
	require.NoError(t, d.Up())
	return tunnel{d, tun, ip}
}

// TestBind pings in both directions, first from the end behind the gateway, which alone knows the other's
// endpoint.
func TestBind(t *testing.T) {
	n := behind.Start(t)
	keys := [2]*ecdh.PrivateKey{}
	for i := range keys {
		var err error
		keys[i], err = ecdh.X25519().GenerateKey(rand.Reader)
		require.NoError(t, err)
	}
	ips := [2]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	far := start(t, conn.NewDefaultBind(), keys[0], keys[1], ips[0], ips[1], "")
	state, err := far.IpcGet()
	require.NoError(t, err)
	port := regexp.MustCompile(`listen_port=(\d+)`).FindStringSubmatch(state)[1]

	fakes, err := n.Resolver.LookupNetIP(n.Context(), "ip4", behind.Name)
	require.NoError(t, err)
	near := start(t, &Bind{Dialer: n.Dialer}, keys[1], keys[0], ips[1], ips[0], fakes[0].String()+":"+port)
	for range 3 {
		for _, way := range [][2]tunnel{{near, far}, {far, near}} {
			ping := tuntest.Ping(way[1].ip, way[0].ip)
			way[0].tun.Outbound <- ping
			select {
			case got := <-way[1].tun.Inbound:
				require.Equal(t, ping, got)
			case <-time.After(20 * time.Second):
				require.Fail(t, "the ping got lost")
			}
		}
	}
}
