// The hooks: LookupFunc and DialFunc of pgconn.Config. LookupHost returns the fake address that pgx insists on, and
// DialContext turns that into the name. This holds too for the second connection, to the first one's RemoteAddr, with
// which pgx cancels a query.

// Package pgx reaches a PostgreSQL server behind a gateway.
package pgx

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/resolver"
)

// Open returns a pool of connections to the database of a DSN, as pgxpool.New does. The DSN's host is a
// name that the gateway knows.
func Open(ctx context.Context, d *dialer.Dialer, r *resolver.Resolver, dsn string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.LookupFunc = r.LookupHost
	config.ConnConfig.DialFunc = d.DialContext
	return pgxpool.NewWithConfig(ctx, config)
}
