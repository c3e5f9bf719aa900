package autopaho

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestMosquitto(t *testing.T) {
	n := behind.Start(t)
	port, tlsConfig := n.Mosquitto()
	n.Exercise(behind.Reconnects, func(ctx context.Context) (behind.Session, error) {
		heard := make(chan string, 8)
		config := autopaho.ClientConfig{
			ServerUrls:       []*url.URL{{Scheme: "tls", Host: behind.At(port)}},
			TlsCfg:           tlsConfig,
			ConnectTimeout:   5 * time.Second,
			ReconnectBackoff: autopaho.NewConstantBackoff(10 * time.Millisecond),
			KeepAlive:        20,
			ClientConfig: paho.ClientConfig{ClientID: "client", OnPublishReceived: []func(paho.PublishReceived) (bool, error){
				func(p paho.PublishReceived) (bool, error) {
					heard <- string(p.Packet.Payload)
					return true, nil
				},
			}},
		}
		UseDialer(&config, n.Dialer)
		client, err := autopaho.NewConnection(context.WithoutCancel(ctx), config)
		if err != nil {
			return behind.Session{}, err
		}
		use := func(ctx context.Context) error {
			if err := client.AwaitConnection(ctx); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a message that is published while a connection ends is lost
			defer cancel()
			if _, err := client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "news", QoS: 1}}}); err != nil {
				return err
			}
			if _, err := client.Publish(ctx, &paho.Publish{Topic: "news", QoS: 1, Payload: []byte("hello")}); err != nil {
				return err
			}
			select {
			case text := <-heard:
				require.Equal(t, "hello", text)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return behind.Session{Use: use, End: func() { client.Disconnect(context.Background()); <-client.Done() }}, nil
	})
}
