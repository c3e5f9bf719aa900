package elasticsearch

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// answer implements the part of a server that Info needs: a real one is neither in Debian nor written in Go.
func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	io.WriteString(w, `{"name":"node","cluster_name":"cluster","version":{"number":"9.0.0"},"tagline":"You Know, for Search"}`)
}

func TestElasticsearch(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(answer))
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		transport := Transport(n.Dialer, config)
		client, err := NewClient(transport, "https://"+address)
		require.NoError(t, err)
		return behind.Session{Idle: transport.CloseIdleConnections, Use: func(ctx context.Context) error {
			answer, err := client.Info(client.Info.WithContext(ctx))
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err == nil {
				require.Contains(t, string(text), "You Know, for Search")
			}
			return err
		}}, nil
	})
}
