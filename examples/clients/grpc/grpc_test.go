package grpc

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// With the default scheme and with an explicit dns, gRPC resolves the target's name; even so the gateway gets the name,
// and the certificate is verified for it.
func TestSchemes(t *testing.T) {
	serverTLS, clientTLS := behind.TLS(t)
	for _, scheme := range []string{"", "dns:///", "passthrough:///"} {
		t.Run("scheme "+scheme, func(t *testing.T) {
			n := behind.Start(t)
			l := n.Listen()
			server := grpc.NewServer(grpc.Creds(credentials.NewTLS(serverTLS)))
			grpc_health_v1.RegisterHealthServer(server, health.NewServer())
			go server.Serve(l) // owned by the test; ends with Stop
			defer server.Stop()

			if scheme != "passthrough:///" {
				UseResolver(n.Resolver)
			}
			conn, err := NewClient(n.Dialer, scheme+n.Address(l.Addr()), grpc.WithTransportCredentials(credentials.NewTLS(clientTLS)))
			require.NoError(t, err)
			defer conn.Close()
			var from peer.Peer
			answer, err := grpc_health_v1.NewHealthClient(conn).Check(n.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.Peer(&from))
			require.NoError(t, err)
			require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, answer.Status)
			n.RequireFake(from.Addr)
			n.OnlyByName(sockstest.Connect)

			n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
				conn, err := NewClient(n.Dialer, scheme+n.Address(l.Addr()), grpc.WithTransportCredentials(credentials.NewTLS(clientTLS)))
				return behind.Session{End: func() { conn.Close() }, Use: func(ctx context.Context) error {
					_, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
					return err
				}}, err
			})
		})
	}
}
