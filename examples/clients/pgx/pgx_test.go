package pgx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const password = "correct horse"

// startPostgres returns the DSN of a new server.
func startPostgres(t *testing.T, n *behind.Network) string {
	initdb := behind.Program(t, "postgresql", "initdb", "/usr/lib/postgresql/*/bin/initdb")
	postgres := behind.Program(t, "postgresql", "postgres", "/usr/lib/postgresql/*/bin/postgres")
	dir, port := behind.Dir(t), n.Port()
	secret := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(secret, []byte(password), 0o644))
	data := filepath.Join(dir, "data")
	behind.Run(t, initdb, "-D", data, "-U", "app", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync", "--no-locale", "-E", "UTF8")
	n.Serve(port, postgres, "-D", data, "-p", port, "-h", n.IP.String(), "-k", "", "-F")
	require.Eventually(t, func() bool { // it listens before it is: pg_ctl looks here too
		status, _ := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		return bytes.HasSuffix(bytes.TrimSpace(status), []byte("ready"))
	}, 10*time.Second, 10*time.Millisecond)
	return fmt.Sprintf("host=%s port=%s user=app password='%s' dbname=postgres sslmode=disable", behind.Name, port, password)
}

func TestPostgreSQL(t *testing.T) {
	n := behind.Start(t)
	ctx := n.Context()
	pool, err := Open(ctx, n.Dialer, n.Resolver, startPostgres(t, n))
	require.NoError(t, err)
	defer pool.Close()

	_, err = pool.Exec(ctx, `CREATE TABLE greeting (text) AS VALUES ('hello'), ('goodbye')`)
	require.NoError(t, err)
	var text string
	require.NoError(t, pool.QueryRow(ctx, `SELECT text FROM greeting WHERE text LIKE $1`, "h%").Scan(&text))
	require.Equal(t, "hello", text)
	n.OnlyByName(sockstest.Connect)

	// A query is cancelled over a second connection, to the same name.
	conn, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer conn.Release()
	rows, err := conn.Query(ctx, `SELECT generate_series(1, 1000000000)`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, conn.Conn().PgConn().CancelRequest(ctx))
	for rows.Next() { // what was under way
	}
	var failure *pgconn.PgError
	require.ErrorAs(t, rows.Err(), &failure)
	require.Equal(t, "57014", failure.Code) // query_canceled
	n.OnlyByName(sockstest.Connect, sockstest.Connect)
}
