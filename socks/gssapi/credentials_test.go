package gssapi

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

func TestUnusableCredentialsHaveTheirErrors(t *testing.T) {
	r, _ := realm(t, aes256)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	write := func(name string, end time.Time, session int32) string {
		path := filepath.Join(dir, name)
		require.NoError(t, r.WriteCache(path, end, session))
		return path
	}
	whole, err := os.ReadFile(write("whole", time.Now().Add(time.Hour), 0))
	require.NoError(t, err)
	config := file("krb5.conf", []byte("[libdefaults]\n default_realm = TEST.LOCAL\n[realms]\n TEST.LOCAL = {\n  kdc = 127.0.0.1:1\n }\n"))
	keytab := filepath.Join(dir, "keytab")
	require.NoError(t, r.WriteKeytab(keytab))
	keys, err := os.ReadFile(keytab)
	require.NoError(t, err)
	t.Setenv("KRB5CCNAME", "KEYRING:persistent:0")
	for name, c := range map[string]struct {
		credentials Credentials
		text        string
	}{
		"no cache":            {Cache(filepath.Join(dir, "none")), "no such file"},
		"empty cache":         {Cache(file("empty", nil)), "not a credential cache"},
		"cut cache":           {Cache(file("cut", whole[:len(whole)/2])), "not a credential cache"},
		"expired":             {Cache(write("expired", time.Now().Add(-time.Minute), 0)), "expired at"},
		"of an old type":      {Cache(write("rc4", time.Now().Add(time.Hour), 23)), "encryption type 23"},
		"another kind":        {Cache("KCM:"), "KCM"},
		"the environment's":   {Cache(""), "KEYRING"},
		"zero":                {Credentials{}, "KEYRING"},
		"no keytab":           {Keytab(filepath.Join(dir, "none"), "alice"), "no such file"},
		"no keytab's content": {Keytab(file("keys", keys[:len(keys)-5]), "alice"), "not a keytab"},
		"keytab of others":    {Keytab(keytab, "alice"), "no key of alice@TEST.LOCAL"},
		"password, no KDC":    {Password("alice", "secret"), "no KDC can be reached"},
		"password, no one":    {Password("", "secret"), "realm"},
		"password, far realm": {Password("alice@FAR.LOCAL", "secret"), "no KDC for the realm"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := &Auth{Service: acceptor.Service, Credentials: c.credentials, Config: config}
			g := accepting(&acceptor.Acceptor{Realm: r})
			_, err := clientOf(t, g, auth).Dial("tcp", "127.0.0.1:9")
			require.ErrorIs(t, err, ErrCredentials)
			require.ErrorContains(t, err, c.text)
			require.NotErrorIs(t, err, socks.ErrGateway, "a missing ticket is not a gateway's fault")
			require.NotContains(t, err.Error(), "secret")
			require.Empty(t, g.Requests())
			if strings.HasPrefix(name, "no ") && strings.Contains(c.text, "no such") {
				require.ErrorIs(t, err, fs.ErrNotExist, "the chain must have the cause")
			}
		})
	}
}

func TestAuthWithoutServiceOrProtectionFails(t *testing.T) {
	r, good := realm(t, aes256)
	for _, a := range []*Auth{{Credentials: good.Credentials}, {Service: "x", Credentials: good.Credentials, Protection: 3}, {Service: "x", Protection: -1}} {
		_, err := clientOf(t, accepting(&acceptor.Acceptor{Realm: r}), a).Dial("tcp", "127.0.0.1:9")
		require.ErrorContains(t, err, "gssapi: the Auth")
	}
}

func TestCacheFileIsFound(t *testing.T) {
	t.Setenv("KRB5CCNAME", "")
	path, err := cacheFile("")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), path)
	t.Setenv("KRB5CCNAME", "FILE:/tmp/mine")
	for name, want := range map[string]string{"": "/tmp/mine", "FILE:x": "x", "/tmp/a:b": "/tmp/a:b", "relative": "relative", `C:\cc`: `C:\cc`} {
		path, err := cacheFile(name)
		require.NoError(t, err)
		require.Equal(t, want, path)
	}
	for _, name := range []string{"DIR:/tmp", "KEYRING:x", "API:", "MEMORY:1"} {
		_, err := cacheFile(name)
		require.Error(t, err)
	}
	a := &Auth{Config: "/mine"}
	require.Equal(t, "/mine", a.configFile())
	t.Setenv("KRB5_CONFIG", "/the/environment's")
	require.Equal(t, "/the/environment's", new(Auth).configFile())
	t.Setenv("KRB5_CONFIG", "")
	require.Equal(t, "/etc/krb5.conf", new(Auth).configFile())
}

// No printed form of an Auth has a secret, before or after it has a ticket.
func TestNothingPrintsASecret(t *testing.T) {
	r, auth := realm(t, aes256)
	c := clientOf(t, accepting(&acceptor.Acceptor{Realm: r}), auth)
	shown := func(v any) string {
		var b strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		j, _ := json.Marshal(v)
		b.Write(j)
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "auth", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("", "auth", v)
		return b.String()
	}
	secret := &Auth{Service: acceptor.Service, Credentials: Password("alice", "very secret")}
	for _, v := range []any{secret, secret.Credentials, []*Auth{secret}, &socks.Client{Auth: []socks.Auth{secret}}} {
		require.NotContains(t, shown(v), "very secret")
		require.NotContains(t, shown(v), fmt.Sprintf("%x", "very secret"))
	}
	connect(t, c)
	require.NotNil(t, auth.tickets.kept)
	key := r.SessionKey
	for _, v := range []any{auth, c} {
		for _, form := range []string{"%s", "%x", "%v", "%d", "%q"} {
			require.NotContains(t, shown(v), fmt.Sprintf(form, key), form)
		}
	}
}
