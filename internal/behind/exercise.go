package behind

import (
	"context"
	"net"
	"time"

	"github.com/stretchr/testify/require"
)

// Session is an open client.
type Session struct {
	Use  func(context.Context) error // sends a request and checks the answer
	End  func()                      // closes the client; nil: none
	Idle func()                      // closes idle connections, for a client without a Close such as http.Transport; nil: none
}

// end closes the client s, and requires that no connection to the gateway is left.
func (n *Network) end(s Session) {
	n.t.Helper()
	if s.End != nil {
		s.End()
	}
	gone := func() bool {
		if s.Idle != nil {
			s.Idle() // repeated, because a connection may become idle a moment after its last use
		}
		return n.gateway.Connections() == 0
	}
	require.Eventually(n.t, gone, patience, time.Millisecond, "connections to the gateway are left")
}

// Connection is the way in which a client keeps its connections.
type Connection int

const (
	Reconnects Connection = iota // the client reconnects by itself after the gateway has restarted
	Single                       // the client has one connection; the program opens another client
	Datagrams                    // the client has an association; the Dialer decides whether that survives
)

// Exercise opens clients and uses them: with a working gateway; after the gateway has restarted, which cuts every
// connection; and with a silent gateway, until the context is cancelled. It requires that the gateway gets only the
// server's name throughout, and that the local resolver gets no query.
func (n *Network) Exercise(kind Connection, open func(context.Context) (Session, error)) {
	n.t.Helper()
	ctx := n.Context()
	s, err := open(ctx)
	require.NoError(n.t, err)
	require.NoError(n.t, s.Use(ctx))
	n.ByName()

	n.restart()
	if kind != Reconnects {
		err := s.Use(ctx)
		require.True(n.t, err != nil || kind == Datagrams, "the client's connection was cut")
		n.end(s)
		s, err = open(ctx)
		require.NoError(n.t, err)
	}
	for err = s.Use(ctx); err != nil; err = s.Use(ctx) {
		require.NoError(n.t, ctx.Err(), "the client does not reconnect: %v", err)
		time.Sleep(10 * time.Millisecond)
	}
	n.end(s)
	n.ByName()

	n.cancelled(ctx, open)
	n.ByName()
}

// restart closes the gateway, and starts it again at the same address.
func (n *Network) restart() {
	n.t.Helper()
	at := n.gateway.Listener.Addr().String()
	n.gateway.Close()
	var err error
	n.gateway.Listener, err = net.Listen("tcp", at)
	require.NoError(n.t, err)
	n.gateway.Start()
}

// cancelled requires that a client that waits for a silent gateway fails when its context ends, and leaves no
// connection to the gateway.
func (n *Network) cancelled(ctx context.Context, open func(context.Context) (Session, error)) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	instead := func() { cancel() }
	n.silent.Store(&instead)
	defer n.silent.Store(nil)
	s, err := open(ctx)
	if err != nil {
		s = Session{} // no client to end
	} else {
		err = s.Use(ctx)
	}
	require.Error(n.t, err)
	require.ErrorIs(n.t, ctx.Err(), context.Canceled, "the client failed before it dialed: %v", err)
	n.end(s)
}
