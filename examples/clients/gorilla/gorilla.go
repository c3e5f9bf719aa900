// The hook: NetDialContext of websocket.Dialer. TLSClientConfig applies as usual.

// Package gorilla dials WebSockets behind a gateway with gorilla/websocket.
package gorilla

import (
	"context"
	"crypto/tls"

	"github.com/gorilla/websocket"

	"github.com/sockslib/sockslib/dialer"
)

// Dial opens a WebSocket at a URL, wss://host:port/path, whose host is a name that the gateway knows. The config
// is for TLS; nil: the system's certificates.
func Dial(ctx context.Context, d *dialer.Dialer, url string, config *tls.Config) (*websocket.Conn, error) {
	w := websocket.Dialer{NetDialContext: d.DialContext, TLSClientConfig: config}
	conn, _, err := w.DialContext(ctx, url, nil)
	return conn, err
}
