package mysql

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// startMariaDB returns the port of a server that accepts the user app, and only with TLS.
func startMariaDB(t *testing.T, n *behind.Network) (port string, client *tls.Config) {
	server := behind.Program(t, "mariadb-server-core", "mariadbd", "/usr/sbin/mariadbd")
	install := behind.Program(t, "mariadb-server-core", "mariadb-install-db")
	dir, port := behind.Dir(t), n.Port()
	certificate, key, client := behind.TLSFiles(t, dir)
	data, init := filepath.Join(dir, "data"), filepath.Join(dir, "init.sql")
	behind.Run(t, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	require.NoError(t, os.WriteFile(init, fmt.Appendf(nil, "CREATE USER app IDENTIFIED BY '%s' REQUIRE SSL;\n", behind.Password), 0o644))
	n.Serve(port, server, "--no-defaults", "--datadir="+data, "--bind-address="+n.IP.String(), "--port="+port, "--socket="+filepath.Join(dir, "s"),
		"--pid-file="+filepath.Join(dir, "pid"), "--init-file="+init, "--ssl-cert="+certificate, "--ssl-key="+key, "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0")
	return port, client
}

func TestMariaDB(t *testing.T) {
	n := behind.Start(t)
	port, config := startMariaDB(t, n)
	config.ServerName = behind.Name
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		db, err := Open(n.Dialer, "app:"+behind.Password+"@tcp("+behind.At(port)+")/", config)
		return behind.Session{End: func() { db.Close() }, Use: func(ctx context.Context) error {
			var name, cipher string
			err := db.QueryRowContext(ctx, `SHOW STATUS LIKE 'Ssl_cipher'`).Scan(&name, &cipher)
			if err == nil {
				require.NotEmpty(t, cipher)
			}
			return err
		}}, err
	})
}
