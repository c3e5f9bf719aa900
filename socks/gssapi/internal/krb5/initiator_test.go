package krb5_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// ticket forges a ticket, and makes an acceptor for it.
func ticket(t testing.TB) (*krb5.Ticket, *acceptor.Acceptor) {
	r, err := acceptor.NewRealm(18)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ccache")
	require.NoError(t, r.WriteCache(path, time.Now().Add(time.Hour), 0))
	tkt, err := krb5.FromCache(path, "", acceptor.Service)
	require.NoError(t, err)
	return tkt, &acceptor.Acceptor{Realm: r}
}

// An answer is accepted only for its own request.
func TestAnswerToAnotherRequestIsRefused(t *testing.T) {
	tkt, acc := ticket(t)
	first, token, err := tkt.Initiate()
	require.NoError(t, err)
	second, _, err := tkt.Initiate()
	require.NoError(t, err)
	answer, _, _, err := acc.Accept(token)
	require.NoError(t, err)
	_, err = second.Finish(answer)
	require.ErrorContains(t, err, "another request")
	_, err = first.Finish(answer)
	require.NoError(t, err)

	_, err = first.Finish(token)
	require.ErrorContains(t, err, "0x0100", "our own token is no answer")
}

func TestTicketComesFromTheCache(t *testing.T) {
	r, err := acceptor.NewRealm(18)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ccache")
	require.NoError(t, r.WriteCache(path, time.Now().Add(time.Hour), 0))
	for _, service := range []string{acceptor.Service, acceptor.Service + "@" + acceptor.RealmName} {
		tkt, err := krb5.FromCache(path, "", service)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), tkt.End, 2*time.Second)
	}
	for _, service := range []string{"rcmd/other.test", acceptor.Service + "@OTHER.LOCAL", "rcmd", ""} {
		_, err = krb5.FromCache(path, "", service)
		require.ErrorContains(t, err, "krbtgt", "there is none to ask the KDC with")
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for n := range whole {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		_, err = krb5.FromCache(path, "", acceptor.Service)
		require.Error(t, err, "%d bytes", n)
	}
}

func FuzzFinish(f *testing.F) {
	tkt, acc := ticket(f)
	_, token, err := tkt.Initiate()
	require.NoError(f, err)
	answer, _, _, err := acc.Accept(token)
	require.NoError(f, err)
	f.Add(answer)
	f.Add(token)
	f.Add(krb5.AppendToken(nil, krb5.TokenKRBError, []byte{0x7e, 0x02, 0x30, 0x00}))
	in, _, err := tkt.Initiate()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := in.Finish(b); err == nil || c != nil {
			t.Error("a token was accepted that has no answer")
		}
	})
}

func FuzzCache(f *testing.F) {
	r, err := acceptor.NewRealm(18)
	require.NoError(f, err)
	path := filepath.Join(f.TempDir(), "ccache")
	require.NoError(f, r.WriteCache(path, time.Now().Add(time.Hour), 0))
	b, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte{5, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "ccache")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		krb5.FromCache(path, "", acceptor.Service)
	})
}
