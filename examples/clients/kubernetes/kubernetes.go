// The hooks: Dial of rest.Config for all requests; it does not reach exec, attach and port-forward, whose SPDY
// connections want a round tripper with an UpgradeTransport, and whose WebSockets have no hook.

// Package kubernetes reaches a Kubernetes API server behind a gateway with client-go.
package kubernetes

//lint:file-ignore SA1019 client-go itself takes the types of these packages.

import (
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/sockslib/sockslib/dialer"
)

// UseDialer makes clients with this configuration connect through d, except for exec, attach and port-forward.
func UseDialer(config *rest.Config, d *dialer.Dialer) { config.Dial = d.DialContext }

// NewExecutor is like remotecommand.NewSPDYExecutor, for exec and attach, but uses the configuration's Dial.
func NewExecutor(config *rest.Config, url *url.URL) (remotecommand.Executor, error) {
	secure, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	upgrader, err := spdy.NewRoundTripperWithConfig(spdy.RoundTripperConfig{
		PingPeriod:       5 * time.Second,
		UpgradeTransport: &http.Transport{DialContext: config.Dial, TLSClientConfig: secure},
	})
	if err != nil {
		return nil, err
	}
	transport, err := rest.HTTPWrappersForConfig(config, upgrader) // adds the credentials
	if err != nil {
		return nil, err
	}
	return remotecommand.NewSPDYExecutorForTransports(transport, upgrader, http.MethodPost, url)
}
