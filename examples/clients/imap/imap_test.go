package imap

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestIMAP(t *testing.T) {
	n := behind.Start(t)
	serverTLS, clientTLS := behind.TLS(t)
	serverTLS.NextProtos = []string{"imap"}
	user := imapmemserver.NewUser("user", behind.Password)
	require.NoError(t, user.Create("INBOX", nil))
	mails := imapmemserver.New()
	mails.AddUser(user)
	server := imapserver.New(&imapserver.Options{InsecureAuth: true, NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
		return mails.NewSession(), nil, nil
	}})
	l := n.Listen()
	go server.Serve(tls.NewListener(l, serverTLS)) // owned by the test; ends with Close
	defer server.Close()

	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		client, err := Dial(ctx, n.Dialer, n.Address(l.Addr()), clientTLS)
		if err != nil {
			return behind.Session{}, err
		}
		if err := client.Login("user", behind.Password).Wait(); err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Close() }, Use: func(context.Context) error {
			box, err := client.Select("INBOX", nil).Wait()
			if err == nil {
				require.Zero(t, box.NumMessages)
			}
			return err
		}}, nil
	})
}
