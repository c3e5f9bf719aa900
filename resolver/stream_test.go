package resolver

import (
	"errors"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/errno"
)

// failingListener returns the errors of fail from Accept, each once, and then works as its Listener.
type failingListener struct {
	net.Listener
	fail chan error
}

func (l failingListener) Accept() (net.Conn, error) {
	select {
	case err := <-l.fail:
		return nil, err
	default:
	}
	c, err := l.Listener.Accept()
	if err == nil {
		return c, nil
	}
	select {
	case failure := <-l.fail:
		return nil, failure
	default:
		return nil, err
	}
}

// When the listener fails for good, Serve returns the error, although a client goes on asking. Shutdown works afterwards.
func TestServeReturnsWhenItsListenerFails(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := failingListener{inner, make(chan error, 1)}
	s := &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }() // ends with the listener; waited for below
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	query := packQuery(t, "db.example.", dns.TypeA)
	require.NoError(t, askStream(c, query))
	asking := make(chan error, 1)
	go func() { // ends with the connection; waited for below
		for {
			if err := askStream(c, query); err != nil {
				asking <- err
				return
			}
		}
	}()
	broken := errors.New("broken")
	l.fail <- broken
	require.NoError(t, inner.Close())
	select {
	case err := <-served:
		require.ErrorIs(t, err, broken)
	case <-time.After(10 * time.Second):
		t.Error("Serve has not returned")
	}
	require.NoError(t, s.Shutdown(t.Context()))
	require.Error(t, <-asking)
}

// Errors of one connection, and a lack of descriptors or memory, do not end Serve.
func TestServeSurvivesErrorsOfAccept(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fail := make(chan error, 10)
	for _, err := range []error{errno.ECONNABORTED, errno.ECONNRESET, errno.EPROTO, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM} {
		fail <- &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	s := &Server{Resolver: &Resolver{Table: newTable(t)}, Search: []string{}, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(failingListener{inner, fail}) }() // ends with Shutdown; waited for below
	c, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, askStream(c, packQuery(t, "db.example.", dns.TypeA)))
	require.Empty(t, fail)
	require.NoError(t, s.Shutdown(t.Context()))
	require.ErrorIs(t, <-served, net.ErrClosed)
}
