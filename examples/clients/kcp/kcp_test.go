package kcp

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xtaci/kcp-go/v5"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/socks/sockstest"
)

// TestKCP sends many packets, and gets them back.
func TestKCP(t *testing.T) {
	n := behind.Start(t)
	block, err := kcp.NewAESBlockCrypt(make([]byte, 32))
	require.NoError(t, err)
	packets := n.ListenPacket()
	l, err := kcp.ServeConn(block, 10, 3, packets)
	require.NoError(t, err)
	defer l.Close()
	ended := make(chan struct{})
	go func() { // the test's, which waits for it; ends with the session
		defer close(ended)
		c, err := l.AcceptKCP()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()

	session, p, err := Dial(n.Context(), n.Dialer, n.Address(packets.LocalAddr()), block)
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, session.SetDeadline(time.Now().Add(20*time.Second)))
	sent := make([]byte, 1<<18)
	rand.Read(sent)
	go session.Write(sent) // the test's; ends with it or with the deadline
	got := make([]byte, len(sent))
	_, err = io.ReadFull(session, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, got), "the echo differs")
	require.NoError(t, session.Close())
	l.Close()
	n.OnlyByName(sockstest.Associate)
}

// TestWithoutTheWrapper: kcp-go's use of the descriptor is refused; no datagram is sent without a header.
func TestWithoutTheWrapper(t *testing.T) {
	n := behind.Start(t)
	p, err := n.Dialer.ListenPacket(n.Context(), "udp", "")
	require.NoError(t, err)
	defer p.Close()
	session, err := kcp.NewConn2(&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}, nil, 0, 0, p)
	require.NoError(t, err)
	defer session.Close()
	require.NoError(t, session.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = session.Read(make([]byte, 1))
	require.ErrorContains(t, err, "unsupported")
}
