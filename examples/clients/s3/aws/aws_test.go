package aws

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
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
		h := HTTPClient(n.Dialer, config)
		client := NewClient(h, "https://"+address, s3.Options{
			Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		})
		return behind.Session{Idle: h.CloseIdleConnections, Use: func(ctx context.Context) error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting"), Body: strings.NewReader("hello")})
			if err != nil {
				return err
			}
			object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")})
			if err != nil {
				return err
			}
			defer object.Body.Close()
			text, err := io.ReadAll(object.Body)
			if err == nil {
				require.Equal(t, "hello", string(text))
			}
			return err
		}}, nil
	})
}
