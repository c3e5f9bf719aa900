package kubernetes

//lint:file-ignore SA1019 client-go itself takes the types of these packages.

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes/scheme"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const token = "a bearer's"

// server implements a part of an API server: one pod, and a command that echoes.
func server() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/default/pods/greeter", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "greeter"}})
	})
	mux.HandleFunc("POST /api/v1/namespaces/default/pods/greeter/exec", exec)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// exec speaks SPDY: a stream for the outcome, one for stdin, one for stdout.
func exec(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{"v4.channel.k8s.io"}); err != nil {
		return
	}
	opened := make(chan httpstream.Stream, 3)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, replied <-chan struct{}) error {
		opened <- s
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	streams := make(map[string]httpstream.Stream)
	for len(streams) < 3 {
		select {
		case s := <-opened:
			streams[s.Headers().Get(corev1.StreamType)] = s
		case <-conn.CloseChan():
			return
		}
	}
	io.Copy(streams[corev1.StreamTypeStdout], streams[corev1.StreamTypeStdin])
	json.NewEncoder(streams[corev1.StreamTypeError]).Encode(metav1.Status{Status: metav1.StatusSuccess})
	for _, s := range streams {
		s.Close()
	}
	<-conn.CloseChan()
}

// config starts the server, and returns its client's configuration.
func config(t *testing.T, n *behind.Network) *rest.Config {
	secure, _ := behind.TLS(t)
	c := &rest.Config{Host: "https://" + n.ServeHTTPS(server(), secure), BearerToken: token}
	c.CAData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificates[0].Certificate[0]})
	UseDialer(c, n.Dialer)
	return c
}

func TestClient(t *testing.T) {
	n := behind.Start(t)
	c := config(t, n)
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		h, err := rest.HTTPClientFor(rest.CopyConfig(c))
		require.NoError(t, err)
		client, err := typed.NewForConfigAndClient(c, h)
		require.NoError(t, err)
		return behind.Session{Idle: func() { utilnet.CloseIdleConnectionsFor(h.Transport) }, Use: func(ctx context.Context) error {
			pod, err := client.Pods("default").Get(ctx, "greeter", metav1.GetOptions{})
			if err == nil {
				require.Equal(t, "greeter", pod.Name)
			}
			return err
		}}, nil
	})
}

func TestExec(t *testing.T) {
	n := behind.Start(t)
	c := config(t, n)
	client, err := typed.NewForConfig(c)
	require.NoError(t, err)
	options := &corev1.PodExecOptions{Command: []string{"cat"}, Stdin: true, Stdout: true}
	url := client.RESTClient().Post().Namespace("default").Resource("pods").Name("greeter").SubResource("exec").VersionedParams(options, scheme.ParameterCodec).URL()
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		return behind.Session{Use: func(ctx context.Context) error {
			executor, err := NewExecutor(c, url)
			require.NoError(t, err)
			var out bytes.Buffer
			err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: bytes.NewReader([]byte("hello")), Stdout: &out})
			if err == nil {
				require.Equal(t, "hello", out.String())
			}
			return err
		}}, nil
	})
}
