package ldap

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/jimlambrt/gldap"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// startServer starts an LDAP server with one entry, and returns its address.
func startServer(t *testing.T, n *behind.Network, config *tls.Config) string {
	mux, err := gldap.NewMux()
	require.NoError(t, err)
	require.NoError(t, mux.Bind(func(w *gldap.ResponseWriter, r *gldap.Request) {
		answer, code := r.NewBindResponse(), gldap.ResultInvalidCredentials
		if m, err := r.GetSimpleBindMessage(); err == nil && m.UserName == "cn=app" && string(m.Password) == behind.Password {
			code = gldap.ResultSuccess
		}
		answer.SetResultCode(code)
		w.Write(answer)
	}))
	require.NoError(t, mux.Search(func(w *gldap.ResponseWriter, r *gldap.Request) {
		w.Write(r.NewSearchResponseEntry("cn=greeting", gldap.WithAttributes(map[string][]string{"description": {"hello"}})))
		w.Write(r.NewSearchDoneResponse(gldap.WithResponseCode(gldap.ResultSuccess)))
	}))
	server, err := gldap.NewServer()
	require.NoError(t, err)
	require.NoError(t, server.Router(mux))
	port := n.Port()
	ended := make(chan struct{})
	go func() { // owned by the test; ends with Stop
		defer close(ended)
		server.Run(net.JoinHostPort(n.IP.String(), port), gldap.WithTLSConfig(config))
	}()
	t.Cleanup(func() { server.Stop(); <-ended })
	require.Eventually(t, server.Ready, 10*time.Second, time.Millisecond)
	return behind.At(port)
}

func TestLDAP(t *testing.T) {
	n := behind.Start(t)
	server, client := behind.TLS(t)
	address := startServer(t, n, server)
	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		conn, err := Dial(ctx, n.Dialer, address, client)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { conn.Close() }, Use: func(context.Context) error {
			if err := conn.Bind("cn=app", behind.Password); err != nil {
				return err
			}
			found, err := conn.Search(ldap.NewSearchRequest("cn=greeting", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", nil, nil))
			if err == nil {
				require.Equal(t, "hello", found.Entries[0].GetAttributeValue("description"))
			}
			return err
		}}, nil
	})
}
