package amqp

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// startRabbitMQ returns the URL of a server, and the TLS configuration of its client. It starts Erlang's port mapper
// too, because one that the server starts would outlive the test.
func startRabbitMQ(t *testing.T, n *behind.Network) (url string, client *tls.Config) {
	server := behind.Program(t, "rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
	mapper := behind.Program(t, "erlang-base", "epmd")
	dir, port, mapperPort := behind.Dir(t), n.Port(), n.Port()
	n.Serve(mapperPort, mapper, "-port", mapperPort, "-address", n.IP.String())
	certificate, key, client := behind.TLSFiles(t, dir)
	config := filepath.Join(dir, "rabbitmq.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `listeners.tcp = none
listeners.ssl.1 = %s
ssl_options.certfile = %s
ssl_options.keyfile = %s
ssl_options.verify = verify_none
loopback_users = none
`, n.IP.String()+":"+port, certificate, key), 0o644))
	n.Serve(port, "env",
		"HOME="+dir, "RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE="+dir, "RABBITMQ_LOGS=-",
		"RABBITMQ_NODENAME=sockslib@localhost", "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"), "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_DIST_PORT="+n.Port(), "ERL_EPMD_PORT="+mapperPort, server)
	return "amqps://guest:guest@" + behind.At(port), client
}

func TestRabbitMQ(t *testing.T) {
	n := behind.Start(t)
	url, config := startRabbitMQ(t, n)
	n.Exercise(behind.Single, func(ctx context.Context) (behind.Session, error) {
		connection, err := Dial(ctx, n.Dialer, url, config)
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { connection.Close() }, Use: func(ctx context.Context) error {
			channel, err := connection.Channel()
			if err != nil {
				return err
			}
			defer channel.Close()
			queue, err := channel.QueueDeclare("", false, true, true, false, nil)
			if err != nil {
				return err
			}
			if err := channel.PublishWithContext(ctx, "", queue.Name, false, false, amqp.Publishing{Body: []byte("hello")}); err != nil {
				return err
			}
			messages, err := channel.ConsumeWithContext(ctx, queue.Name, "", true, true, false, false, nil)
			if err != nil {
				return err
			}
			require.Equal(t, "hello", string((<-messages).Body))
			return nil
		}}, nil
	})
}
