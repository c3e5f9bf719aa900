package nats

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestNATS(t *testing.T) {
	n := behind.Start(t)
	server := behind.Program(t, "nats-server", "nats-server")
	dir, port := behind.Dir(t), n.Port()
	certificate, key, config := behind.TLSFiles(t, dir)
	file := filepath.Join(dir, "nats.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "listen: %q\ntls { cert_file: %q, key_file: %q }\n", net.JoinHostPort(n.IP.String(), port), certificate, key), 0o644))
	n.Serve(port, server, "-c", file)

	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		conn, err := Connect(n.Dialer, "tls://"+behind.At(port), 2*time.Second, nats.Secure(config), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: conn.Close, Use: func(ctx context.Context) error {
			news, err := conn.SubscribeSync("news")
			if err != nil {
				return err
			}
			defer news.Unsubscribe()
			if err := conn.Publish("news", []byte("hello")); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a message that is published while a connection ends is lost
			defer cancel()
			message, err := news.NextMsgWithContext(ctx)
			if err == nil {
				require.Equal(t, "hello", string(message.Data))
			}
			return err
		}}, nil
	})
}

// Without SkipHostLookup, nats.go asks the local resolver.
func TestHostLookupLeaks(t *testing.T) {
	n := behind.Start(t)
	_, err := nats.Connect("nats://"+behind.At("1"), nats.SetCustomDialer(hook{n.Dialer, time.Second}))
	require.Error(t, err)
	require.NotZero(t, n.Queries())
}
