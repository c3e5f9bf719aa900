package fasthttp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestFastHTTP(t *testing.T) {
	n := behind.Start(t)
	address, config := n.HTTPS(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client := NewClient(n.Dialer, config)
		client.MaxIdleConnDuration = time.Millisecond // its cleaner ends with its last connection
		return behind.Session{Idle: client.CloseIdleConnections, Use: func(context.Context) error {
			request, answer := new(fasthttp.Request), new(fasthttp.Response)
			request.SetRequestURI("https://" + address + "/")
			err := client.DoTimeout(request, answer, time.Second) // GetTimeout leaves its dial behind
			if err == nil {
				require.Equal(t, "200 hello", fmt.Sprintf("%d %s", answer.StatusCode(), answer.Body()))
			}
			return err
		}}, nil
	})
}
