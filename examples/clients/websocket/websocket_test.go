package websocket

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// echo sends every message back, until the client says goodbye.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func TestWebSocket(t *testing.T) {
	n := behind.Start(t)
	ctx := n.Context()
	serverTLS, clientTLS := behind.TLS(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Listener.Close()
	server.Listener, server.TLS = n.Listen(), serverTLS
	server.StartTLS()
	defer server.Close()

	conn, err := Dial(ctx, n.Dialer, "wss://"+n.Address(server.Listener.Addr()), clientTLS)
	require.NoError(t, err)
	defer conn.CloseNow()
	for _, message := range []string{"hello", "goodbye"} {
		require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte(message)))
		_, answer, err := conn.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, message, string(answer))
	}
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
	n.OnlyByName(sockstest.Connect)
}
