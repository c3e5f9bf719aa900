// The hook: HTTPClient of websocket.DialOptions, with the DialContext of an http.Transport.

// Package websocket reaches a WebSocket server behind a gateway.
package websocket

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/coder/websocket"

	"github.com/sockslib/sockslib/dialer"
)

// Dial connects to a ws:// or wss:// URL, whose host is a name that the gateway knows.
func Dial(ctx context.Context, d *dialer.Dialer, url string, config *tls.Config) (*websocket.Conn, error) {
	transport := &http.Transport{DialContext: d.DialContext, TLSClientConfig: config}
	defer transport.CloseIdleConnections() // closes a connection that did not become a WebSocket
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	return conn, err
}
