// The hook: DialFunc of mysql.Config, which gets the name.

// Package mysql reaches a MySQL or MariaDB server behind a gateway by database/sql.
package mysql

import (
	"crypto/tls"
	"database/sql"

	"github.com/go-sql-driver/mysql"

	"github.com/sockslib/sockslib/dialer"
)

// Open returns a pool for a DSN, user:password@tcp(host:port)/database, whose host is a name that the gateway
// knows. The config is for TLS; nil: none.
func Open(d *dialer.Dialer, dsn string, secure *tls.Config) (*sql.DB, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	config.DialFunc = d.DialContext
	config.TLS = secure
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
