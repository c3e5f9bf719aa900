package franz

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sockslib/sockslib/examples/clients/kafka/internal/broker"
	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestKafka(t *testing.T) {
	n := behind.Start(t)
	address, config := broker.Start(t, n)
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client, err := kgo.NewClient(kgo.SeedBrokers(address), Dialer(n.Dialer, config), kgo.ConsumeTopics(broker.Topic))
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: client.Close, Use: func(ctx context.Context) error {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: broker.Topic, Value: []byte("hello")}).FirstErr(); err != nil {
				return err
			}
			fetches := client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return err
			}
			require.Equal(t, "hello", string(fetches.Records()[0].Value))
			return nil
		}}, nil
	})
}
