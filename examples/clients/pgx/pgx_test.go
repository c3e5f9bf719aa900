package pgx

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestPostgreSQL(t *testing.T) {
	n := behind.Start(t)
	dsn := n.Postgres()
	ctx := n.Context()
	pool, err := Open(ctx, n.Dialer, n.Resolver, dsn)
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
	rows, err := conn.Query(ctx, `SELECT generate_series(1, 1000000000)`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, conn.Conn().PgConn().CancelRequest(ctx))
	for rows.Next() { // rows that were on their way
	}
	var failure *pgconn.PgError
	require.ErrorAs(t, rows.Err(), &failure)
	require.Equal(t, "57014", failure.Code) // query_canceled
	n.OnlyByName(sockstest.Connect, sockstest.Connect)
	rows.Close()
	conn.Release()

	n.Exercise(behind.Reconnects, func(ctx context.Context) (behind.Session, error) {
		pool, err := Open(ctx, n.Dialer, n.Resolver, dsn)
		return behind.Session{Use: pool.Ping, End: pool.Close}, err
	})
}
