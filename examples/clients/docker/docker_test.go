package docker

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// answer implements the part of an engine that a ping and an exec need: a real one needs more rights than a test has.
func answer(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/exec/id/start") {
		w.Header().Set("Api-Version", "1.51")
		io.WriteString(w, "OK")
		return
	}
	io.Copy(io.Discard, r.Body)
	conn, both, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(both, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	both.Flush()
	line, _ := bufio.NewReader(both).ReadString('\n')
	io.WriteString(conn, line)
}

func TestDocker(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(answer))
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		engine, err := NewClient(n.Dialer, address, config)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { engine.Close() }, Use: func(ctx context.Context) error {
			_, err := engine.Ping(ctx, client.PingOptions{})
			return err
		}}, nil
	})
}

// Each exec has its own connection.
func TestExec(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(answer))
	engine, err := NewClient(n.Dialer, address, config)
	require.NoError(t, err)
	defer engine.Close()
	attached, err := engine.ExecAttach(n.Context(), "id", client.ExecAttachOptions{TTY: true})
	require.NoError(t, err)
	defer attached.Close()
	_, err = io.WriteString(attached.Conn, "hello\n")
	require.NoError(t, err)
	text, err := attached.Reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", text)
	n.ByName()
}
