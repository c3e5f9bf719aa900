package turn

import (
	"context"
	"testing"

	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestTURN(t *testing.T) {
	n := behind.Start(t)
	packets := n.ListenPacket()
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "test",
		AuthHandler: func(r *turn.RequestAttributes) (string, []byte, bool) {
			return r.Username, turn.GenerateAuthKey("user", "test", behind.Password), r.Username == "user"
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            packets,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: n.IP.AsSlice(), Address: n.IP.String()},
		}},
	})
	require.NoError(t, err)
	defer server.Close()
	peer := n.ListenPacket() // the relayed address reaches it
	family := turn.RequestedAddressFamilyIPv6
	if n.IP.Is4() {
		family = turn.RequestedAddressFamilyIPv4
	}

	n.Exercise(behind.Datagrams, func(ctx context.Context) (behind.Session, error) {
		client, err := Listen(ctx, n.Dialer, n.Resolver, n.Address(packets.LocalAddr()), turn.ClientConfig{Username: "user", Password: behind.Password, Realm: "test", RequestedAddressFamily: family})
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Close() }, Use: func(context.Context) error {
			relayed, err := client.Allocate()
			if err != nil {
				return err
			}
			defer relayed.Close()
			if _, err := relayed.WriteTo([]byte("hello"), peer.LocalAddr()); err != nil {
				return err
			}
			b := make([]byte, 100)
			k, from, err := peer.ReadFrom(b)
			require.NoError(t, err)
			require.Equal(t, "hello", string(b[:k]))
			require.Equal(t, relayed.LocalAddr().String(), from.String())
			return nil
		}}, nil
	})
}
