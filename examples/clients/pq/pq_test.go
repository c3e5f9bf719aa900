package pq

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestPostgreSQL(t *testing.T) {
	n := behind.Start(t)
	dsn := n.Postgres()
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		db, err := Open(n.Dialer, dsn)
		return behind.Session{End: func() { db.Close() }, Use: func(ctx context.Context) error {
			var encrypted bool
			err := db.QueryRowContext(ctx, `SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`).Scan(&encrypted)
			if err == nil {
				require.True(t, encrypted)
			}
			return err
		}}, err
	})

	// A query is cancelled over a second connection, which pq makes by the same hook.
	db, err := Open(n.Dialer, dsn)
	require.NoError(t, err)
	defer db.Close()
	ctx, cancel := context.WithCancel(n.Context())
	rows, err := db.QueryContext(ctx, `SELECT generate_series(1, 1000000000)`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	cancel()
	for rows.Next() { // rows that were on their way
	}
	require.Error(t, rows.Err())
	n.ByName()
}

func TestDialTimeout(t *testing.T) {
	n := behind.Start(t)
	c, err := hook{n.Dialer}.DialTimeout("tcp", n.Address(n.Listen().Addr()), time.Minute)
	require.NoError(t, err)
	c.Close()
	_, err = hook{n.Dialer}.DialTimeout("tcp", behind.At("1"), -1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
