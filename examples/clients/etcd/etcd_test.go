package etcd

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestEtcd(t *testing.T) {
	n := behind.Start(t)
	server := behind.Program(t, "etcd-server", "etcd")
	dir, port := behind.Dir(t), n.Port()
	certificate, key, config := behind.TLSFiles(t, dir)
	peers := "http://" + net.JoinHostPort(n.IP.String(), n.Port())
	n.Serve(port, server, "--data-dir", filepath.Join(dir, "data"), "--cert-file", certificate, "--key-file", key, "--unsafe-no-fsync",
		"--listen-client-urls", "https://"+net.JoinHostPort(n.IP.String(), port), "--advertise-client-urls", "https://"+behind.At(port),
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers)

	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		client, err := NewClient(n.Dialer, clientv3.Config{Endpoints: []string{"https://" + behind.At(port)}, TLS: config, Logger: zap.NewNop()})
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{End: func() { client.Close() }, Use: func(ctx context.Context) error {
			if _, err := client.Put(ctx, "greeting", "hello"); err != nil {
				return err
			}
			answer, err := client.Get(ctx, "greeting")
			if err == nil {
				require.Equal(t, "hello", string(answer.Kvs[0].Value))
			}
			return err
		}}, nil
	})
}
