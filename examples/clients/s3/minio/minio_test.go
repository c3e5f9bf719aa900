package minio

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestS3(t *testing.T) {
	n := behind.Start(t)
	store := s3mem.New()
	require.NoError(t, store.CreateBucket("bucket"))
	address, config := n.HTTPS(gofakes3.New(store).Server())
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		transport := Transport(n.Dialer, config)
		client, err := NewClient(transport, address, minio.Options{
			Creds: credentials.NewStaticV4("id", "secret", ""), Secure: true, Region: "us-east-1", BucketLookup: minio.BucketLookupPath,
		})
		if err != nil {
			return behind.Session{}, err
		}
		return behind.Session{Idle: transport.CloseIdleConnections, Use: func(ctx context.Context) error {
			if _, err := client.PutObject(ctx, "bucket", "greeting", strings.NewReader("hello"), 5, minio.PutObjectOptions{}); err != nil {
				return err
			}
			object, err := client.GetObject(ctx, "bucket", "greeting", minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			defer object.Close()
			text, err := io.ReadAll(object)
			if err == nil {
				require.Equal(t, "hello", string(text))
			}
			return err
		}}, nil
	})
}
