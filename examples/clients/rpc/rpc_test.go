package rpc

import (
	"context"
	"net/rpc"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

type Echo struct{}

func (Echo) Say(text string, answer *string) error {
	*answer = text
	return nil
}

func TestRPC(t *testing.T) {
	n := behind.Start(t)
	server, l := rpc.NewServer(), n.Listen()
	require.NoError(t, server.Register(Echo{}))
	go func() { // owned by the test; ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(c) // ends with the client
		}
	}()
	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		client, err := Dial(ctx, n.Dialer, n.Address(l.Addr()))
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Close() }, Use: func(context.Context) error {
			var answer string
			err := client.Call("Echo.Say", "hello", &answer)
			if err == nil {
				require.Equal(t, "hello", answer)
			}
			return err
		}}, nil
	})
}
