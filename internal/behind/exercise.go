package behind

import (
	"context"
	"net"
	"time"

	"github.com/stretchr/testify/require"
)

// Session is a client that is open.
type Session struct {
	Use  func(context.Context) error // asks the server for something, and looks at the answer
	End  func()                      // closes the client; nil: there is nothing to close
	Idle func()                      // closes idle connections, as an http.Transport does, which knows no other end; nil: there are none
}

// end closes a client, and requires that this leaves no connection to the gateway.
func (n *Network) end(s Session) {
	n.t.Helper()
	if s.End != nil {
		s.End()
	}
	gone := func() bool {
		if s.Idle != nil {
			s.Idle() // again: a connection may become idle a moment after its last use
		}
		return n.gateway.Connections() == 0
	}
	require.Eventually(n.t, gone, patience, time.Millisecond, "left behind at the gateway")
}

// Connection says how a client keeps its connections.
type Connection int

const (
	Reconnects Connection = iota // by itself: the client outlives a gateway that restarts
	Single                       // one for its life: whoever uses the client opens another
	Datagrams                    // an association: whether that survives is the Dialer's promise, not the client's
)

// Exercise opens clients and uses them: while all is well; after the gateway has restarted, which cuts every
// connection; and against a gateway that is silent, until the context is cancelled. All along, the gateway is
// to be sent the server's name alone, and the local resolver to be asked for nothing.
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
		require.True(n.t, err != nil || kind == Datagrams, "its connection was cut")
		n.end(s)
		s, err = open(ctx)
		require.NoError(n.t, err)
	}
	for err = s.Use(ctx); err != nil; err = s.Use(ctx) {
		require.NoError(n.t, ctx.Err(), "it does not reconnect: %v", err)
		time.Sleep(10 * time.Millisecond)
	}
	n.end(s)
	n.ByName()

	n.cancelled(ctx, open)
	n.ByName()
}

// restart ends the gateway, and starts it again at the same address.
func (n *Network) restart() {
	n.t.Helper()
	at := n.gateway.Listener.Addr().String()
	n.gateway.Close()
	var err error
	n.gateway.Listener, err = net.Listen("tcp", at)
	require.NoError(n.t, err)
	n.gateway.Start()
}

// cancelled requires that a client gives up with its context while it waits for the gateway, and leaves no
// connection to it.
func (n *Network) cancelled(ctx context.Context, open func(context.Context) (Session, error)) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	instead := func() { cancel() }
	n.silent.Store(&instead)
	defer n.silent.Store(nil)
	s, err := open(ctx)
	if err != nil {
		s = Session{} // there is none
	} else {
		err = s.Use(ctx)
	}
	require.Error(n.t, err)
	require.ErrorIs(n.t, ctx.Err(), context.Canceled, "it gave up before it had dialed: %v", err)
	n.end(s)
}
