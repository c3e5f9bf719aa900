package mqtt

import (
	"context"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// wait waits for a token, which has no context.
func wait(token mqtt.Token) error {
	token.WaitTimeout(2 * time.Second)
	return token.Error()
}

func TestMosquitto(t *testing.T) {
	n := behind.Start(t)
	port, config := n.Mosquitto()
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		o := mqtt.NewClientOptions().AddBroker("tls://" + behind.At(port)).SetTLSConfig(config).
			SetConnectTimeout(time.Second).SetMaxReconnectInterval(100 * time.Millisecond)
		UseDialer(o, n.Dialer)
		client := mqtt.NewClient(o)
		if err := wait(client.Connect()); err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Disconnect(0) }, Use: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a message that is published while a connection ends is lost
			defer cancel()
			heard := make(chan string, 8)
			if err := wait(client.Subscribe("news", 1, func(_ mqtt.Client, m mqtt.Message) { heard <- string(m.Payload()) })); err != nil {
				return err
			}
			if err := wait(client.Publish("news", 1, false, "hello")); err != nil {
				return err
			}
			select {
			case text := <-heard:
				require.Equal(t, "hello", text)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}, nil
	})
}
