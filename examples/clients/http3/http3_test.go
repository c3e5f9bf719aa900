package http3

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// TestHTTP3 posts more than a few packets' worth, and gets it back.
func TestHTTP3(t *testing.T) {
	n := behind.Start(t)
	serverTLS, clientTLS := behind.TLS(t)
	packets := n.ListenPacket()
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}
	go server.Serve(packets) // the test's; Close ends it
	defer server.Close()

	client, err := NewClient(n.Context(), n.Dialer, n.Resolver, clientTLS)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	sent := make([]byte, 1<<20)
	rand.Read(sent)
	request, err := http.NewRequestWithContext(n.Context(), http.MethodPost, "https://"+n.Address(packets.LocalAddr()), bytes.NewReader(sent))
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, "HTTP/3.0", response.Proto)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, body), "the echo differs")
	n.OnlyByName(sockstest.Associate)
}
