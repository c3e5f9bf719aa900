//go:build unix

package behind

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"
)

// Password is the password of the servers that need one.
const Password = "correct horse"

// Postgres starts a PostgreSQL server with TLS, and returns a DSN for its user app. The DSN has the server's name
// and verifies its certificate.
func (n *Network) Postgres() (dsn string) {
	t := n.t
	t.Helper()
	initdb := Program(t, "postgresql", "initdb", "/usr/lib/postgresql/*/bin/initdb")
	postgres := Program(t, "postgresql", "postgres", "/usr/lib/postgresql/*/bin/postgres")
	dir, port := Dir(t), n.Port()
	secret := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(secret, []byte(Password), 0o644))
	certificate, key, _ := TLSFiles(t, dir)
	data := filepath.Join(dir, "data")
	Run(t, initdb, "-D", data, "-U", "app", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync", "--no-locale", "-E", "UTF8")
	n.Serve(port, postgres, "-D", data, "-p", port, "-h", n.IP.String(), "-k", "", "-F",
		"-c", "ssl=on", "-c", "ssl_cert_file="+certificate, "-c", "ssl_key_file="+key)
	require.Eventually(t, func() bool { // the server listens before it is ready; pg_ctl reads this file too
		status, _ := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		return bytes.HasSuffix(bytes.TrimSpace(status), []byte("ready"))
	}, startup, 10*time.Millisecond)
	return fmt.Sprintf("host=%s port=%s user=app password='%s' dbname=postgres sslmode=verify-full sslrootcert=%s", Name, port, Password, certificate)
}

// Redis starts a Redis server with TLS and a password, and returns its port and a client's TLS configuration.
func (n *Network) Redis() (port string, client *tls.Config) {
	n.t.Helper()
	server := Program(n.t, "redis-server", "redis-server")
	dir, port := Dir(n.t), n.Port()
	certificate, key, client := TLSFiles(n.t, dir)
	n.Serve(port, server, "--port", "0", "--tls-port", port, "--bind", n.IP.String(), "--dir", dir, "--save", "", "--requirepass", Password,
		"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	return port, client
}

// Mosquitto starts an MQTT server with TLS, and returns its port and a client's TLS configuration.
func (n *Network) Mosquitto() (port string, client *tls.Config) {
	n.t.Helper()
	server := Program(n.t, "mosquitto", "mosquitto", "/usr/sbin/mosquitto")
	dir, port := Dir(n.t), n.Port()
	certificate, key, client := TLSFiles(n.t, dir)
	config := filepath.Join(dir, "mosquitto.conf")
	require.NoError(n.t, os.WriteFile(config, fmt.Appendf(nil, "listener %s %s\ncertfile %s\nkeyfile %s\nallow_anonymous true\n", port, n.IP, certificate, key), 0o644))
	n.Serve(port, server, "-c", config)
	return port, client
}
