// The hook: Dialer of a Connector. pq requires a DialTimeout too, which an adapter adds; with a context it calls
// DialContext, which the adapter inherits.

// Package pq reaches a PostgreSQL server behind a gateway by database/sql.
package pq

import (
	"context"
	"database/sql"
	"net"
	"time"

	"github.com/lib/pq"

	"github.com/sockslib/sockslib/dialer"
)

// Open returns a pool for a DSN whose host is a name that the gateway knows.
func Open(d *dialer.Dialer, dsn string) (*sql.DB, error) {
	connector, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	connector.Dialer(hook{d})
	return sql.OpenDB(connector), nil
}

type hook struct{ *dialer.Dialer }

func (h hook) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return h.DialContext(ctx, network, address)
}
