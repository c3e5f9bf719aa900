package behind

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TLS returns the configurations of a server with a self-signed certificate for Name, and of a client that trusts
// it.
func TLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              []string{Name},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// HTTPS serves handler with TLS until the test ends. It returns host:port with the server's name, and the
// TLS configuration of a client.
func (n *Network) HTTPS(handler http.Handler) (address string, client *tls.Config) {
	n.t.Helper()
	config, client := TLS(n.t)
	return n.ServeHTTPS(handler, config), client
}

// ServeHTTPS is like HTTPS, with a given configuration of the server.
func (n *Network) ServeHTTPS(handler http.Handler, config *tls.Config) (address string) {
	n.t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener, server.TLS, server.EnableHTTP2 = n.Listen(), config, true
	server.StartTLS()
	n.t.Cleanup(server.Close)
	return n.Address(server.Listener.Addr())
}
