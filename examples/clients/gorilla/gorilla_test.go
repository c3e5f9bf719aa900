package gorilla

import (
	"context"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, message, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, message) != nil {
			return
		}
	}
}

func TestWebSocket(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(echo))
	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		conn, err := Dial(ctx, n.Dialer, "wss://"+address, config)
		if err != nil {
			return behind.Session{}, err
		}
		n.RequireFake(conn.RemoteAddr())
		return behind.Session{End: func() { conn.Close() }, Use: func(context.Context) error {
			if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
				return err
			}
			_, answer, err := conn.ReadMessage()
			if err == nil {
				require.Equal(t, "hello", string(answer))
			}
			return err
		}}, nil
	})
}
