package pion

import (
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v3/udp"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var (
	_ udp.BatchPacketConn      = (*dialer.PacketConn)(nil)
	_ ice.AddrPortReaderWriter = (*dialer.PacketConn)(nil)
)

// TestICE connects an agent behind the gateway with another one that is not behind it.
func TestICE(t *testing.T) {
	n := behind.Start(t)
	ctx := n.Context()
	mux, err := NewMux(ctx, n.Dialer)
	require.NoError(t, err)
	defer mux.Close()
	agent := func(options ...ice.AgentOption) *ice.Agent {
		a, err := ice.NewAgentWithOptions(append(options, ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
			ice.WithIncludeLoopback(), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled), ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}))...)
		require.NoError(t, err)
		t.Cleanup(func() { a.Close() })
		return a
	}
	near, far := agent(ice.WithUDPMux(mux)), agent()
	gathered := make(chan struct{})
	require.NoError(t, far.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(gathered)
		} else if err := near.AddRemoteCandidate(c); err != nil {
			t.Error(err)
		}
	}))
	require.NoError(t, near.OnCandidate(func(ice.Candidate) {})) // required, but the test has no use for it
	require.NoError(t, far.GatherCandidates())
	<-gathered
	require.NoError(t, near.GatherCandidates())
	nearUser, nearPassword, err := near.GetLocalUserCredentials()
	require.NoError(t, err)
	farUser, farPassword, err := far.GetLocalUserCredentials()
	require.NoError(t, err)
	accepted := make(chan error, 1)
	var there *ice.Conn
	go func() { // the test's, which waits for it; ends with ctx at the latest
		var err error
		there, err = far.Accept(ctx, nearUser, nearPassword)
		accepted <- err
	}()
	here, err := near.Dial(ctx, farUser, farPassword)
	require.NoError(t, err)
	require.NoError(t, <-accepted)
	b := make([]byte, 100)
	for range 3 {
		_, err = here.Write([]byte("question"))
		require.NoError(t, err)
		n, err := there.Read(b)
		require.NoError(t, err)
		require.Equal(t, "question", string(b[:n]))
		_, err = there.Write([]byte("answer"))
		require.NoError(t, err)
		n, err = here.Read(b)
		require.NoError(t, err)
		require.Equal(t, "answer", string(b[:n]))
	}
}
