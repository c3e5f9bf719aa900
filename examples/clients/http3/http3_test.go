package http3

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// TestHTTP3 posts a body of many packets, and gets it back.
func TestHTTP3(t *testing.T) {
	n := behind.Start(t)
	serverTLS, clientTLS := behind.TLS(t)
	packets := n.ListenPacket()
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}
	go server.Serve(packets) // the test's; Close ends it
	defer server.Close()

	sent := make([]byte, 1<<20)
	rand.Read(sent)
	n.Exercise(behind.Datagrams, func(ctx context.Context) (behind.Session, error) {
		client, err := NewClient(ctx, n.Dialer, clientTLS)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Close() }, Use: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+n.Address(packets.LocalAddr()), bytes.NewReader(sent))
			require.NoError(t, err)
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			require.Equal(t, "HTTP/3.0", response.Proto)
			body, err := io.ReadAll(response.Body)
			if err == nil {
				require.True(t, bytes.Equal(sent, body), "the echo differs")
			}
			return err
		}}, nil
	})
}
