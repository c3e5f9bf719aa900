//go:build dante

package gssapi

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/interop/table"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

// theirClient tests the acceptor of these tests with Dante's client, which uses MIT's library.
func (r *danteRun) theirClient(t *testing.T) {
	lib := filepath.Join(filepath.Dir(sockd), "..", "lib", "libdsocks.so")
	require.FileExists(t, lib, "built without --disable-client")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(bulk[:1<<20])
	}))
	defer site.Close()
	for _, p := range []Protection{None, Integrity, Confidentiality} {
		t.Run("their client, "+p.String(), func(t *testing.T) {
			for _, etype := range []int32{aes128, aes256, aes128sha2, aes256sha2} {
				for _, subkey := range []int32{0, aes128} {
					curlThrough(t, lib, site.URL, p, etype, subkey)
				}
			}
			table.Kerberos.Record(t, table.Row{Peer: "the tests' acceptor, for socksify curl", Version: r.version, Request: "CONNECT, " + p.String(), How: "cache", Result: works})
		})
	}
}

// curlThrough fetches a MiB with curl through Dante's client.
func curlThrough(t *testing.T, lib, url string, p Protection, etype, subkey int32) {
	dir := t.TempDir()
	realm, err := acceptor.NewRealm(etype)
	require.NoError(t, err)
	require.NoError(t, realm.WriteCache(filepath.Join(dir, "ccache"), time.Now().Add(time.Hour), 0))
	g := testgw.Start(t, accepting(&acceptor.Acceptor{Realm: realm, Subkey: subkey, Rotate: 28, Anyone: true}))
	_, port, err := net.SplitHostPort(g.Addr().String())
	require.NoError(t, err)
	for name, content := range map[string]string{
		"krb5.conf": "[libdefaults]\n default_realm = TEST.LOCAL\n dns_canonicalize_hostname = false\n[domain_realm]\n .test = TEST.LOCAL\n",
		"socks.conf": fmt.Sprintf("route {\n from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = %s\n proxyprotocol: socks_v5\n method: gssapi\n gssapi.servicename: rcmd\n gssapi.enctype: %s\n}\n",
			port, strings.ReplaceAll(p.String(), "none", "clear")),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	cmd := amongHosts(t, dir, "env", "LD_PRELOAD="+lib, "curl", "-sS", "--max-time", "20", url)
	cmd.Env = append(os.Environ(), "SOCKS_AUTOADD_LANROUTES=no", "SOCKS_CONF="+filepath.Join(dir, "socks.conf"),
		"KRB5_CONFIG="+filepath.Join(dir, "krb5.conf"), "KRB5CCNAME=FILE:"+filepath.Join(dir, "ccache"))
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	require.Equal(t, bulk[:1<<20], out)
	require.Equal(t, acceptor.User, g.Requests()[0].User)
}
