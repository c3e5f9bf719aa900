package sarama

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"github.com/sockslib/sockslib/examples/clients/kafka/internal/broker"
	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) {
	metrics.UseNilMetrics = true // the metrics have a goroutine that never ends
	leakcheck.Main(m)
}

func TestKafka(t *testing.T) {
	n := behind.Start(t)
	address, tlsConfig := broker.Start(t, n)
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		config := sarama.NewConfig()
		config.Net.DialTimeout = time.Second
		config.Net.TLS.Enable, config.Net.TLS.Config = true, tlsConfig
		config.Producer.Return.Successes = true
		config.Metadata.Retry.Max = 0
		UseDialer(config, n.Dialer)
		producer, err := sarama.NewSyncProducer([]string{address}, config)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { producer.Close() }, Use: func(context.Context) error {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: broker.Topic, Value: sarama.StringEncoder("hello")})
			return err
		}}, nil
	})
}
