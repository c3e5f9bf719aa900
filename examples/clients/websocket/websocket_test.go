package websocket

import (
	"context"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
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
	address, clientTLS := n.HTTPS(http.HandlerFunc(echo))
	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		conn, err := Dial(ctx, n.Dialer, "wss://"+address, clientTLS)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { conn.CloseNow() }, Use: func(ctx context.Context) error {
			if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
				return err
			}
			_, answer, err := conn.Read(ctx)
			if err == nil {
				require.Equal(t, "hello", string(answer))
			}
			return err
		}}, nil
	})
}
