package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestDefaultTransport(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	system := http.DefaultTransport
	defer func() { http.DefaultTransport = system }()

	// A program has one transport; here each client gets its own, so that it begins without connections.
	open := func(config *tls.Config) *http.Transport {
		transport := system.(*http.Transport).Clone()
		transport.TLSClientConfig = config
		http.DefaultTransport = transport
		UseDialer(n.Dialer)
		return transport
	}
	get := func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/", nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil {
			require.Equal(t, "HTTP/2.0 hello", response.Proto+" "+string(text))
		}
		return err
	}
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		transport := open(config.Clone())
		return behind.Session{Use: get, Idle: transport.CloseIdleConnections}, nil
	})

	transport := open(nil) // does not trust the server's certificate
	defer transport.CloseIdleConnections()
	require.ErrorAs(t, get(n.Context()), new(x509.UnknownAuthorityError))
}
