package connect

import (
	"context"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const procedure = "/echo.v1.EchoService/Echo"

func echo(_ context.Context, r *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
	return connect.NewResponse(r.Msg), nil
}

func TestConnect(t *testing.T) {
	for name, options := range map[string][]connect.ClientOption{"Connect": nil, "gRPC": {connect.WithGRPC()}} {
		t.Run(name, func(t *testing.T) {
			n := behind.Start(t)
			mux := http.NewServeMux()
			mux.Handle(procedure, connect.NewUnaryHandler(procedure, echo))
			address, config := n.HTTPS(mux)
			n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
				h := HTTPClient(n.Dialer, config)
				client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](h, "https://"+address+procedure, options...)
				return behind.Session{Idle: h.CloseIdleConnections, Use: func(ctx context.Context) error {
					answer, err := client.CallUnary(ctx, connect.NewRequest(wrapperspb.String("hello")))
					if err == nil {
						require.Equal(t, "hello", answer.Msg.Value)
					}
					return err
				}}, nil
			})
		})
	}
}
