package ntp

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/beevik/ntp"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestChrony(t *testing.T) {
	n := behind.Start(t)
	server := behind.Program(t, "chrony", "chronyd", "/usr/sbin/chronyd")
	dir, port := behind.Dir(t), n.Port()
	config := filepath.Join(dir, "chrony.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "port %s\nbindaddress %s\nallow all\nlocal stratum 5\ncmdport 0\nbindcmdaddress /\npidfile %s\n", port, n.IP, filepath.Join(dir, "pid")), 0o644))
	at := net.JoinHostPort(n.IP.String(), port)
	n.ServeUntil(func() bool { // directly, to know when it is ready
		_, err := ntp.QueryWithOptions(at, ntp.QueryOptions{Timeout: 100 * time.Millisecond})
		return err == nil
	}, server, "-d", "-U", "-x", "-f", config)

	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		return behind.Session{Use: func(ctx context.Context) error {
			answer, err := Query(ctx, n.Dialer, behind.At(port), ntp.QueryOptions{Timeout: 2 * time.Second})
			if err == nil {
				require.NoError(t, answer.Validate())
				require.Equal(t, uint8(5), answer.Stratum)
			}
			return err
		}}, nil
	})
}
