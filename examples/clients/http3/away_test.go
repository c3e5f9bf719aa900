package http3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

var names = []string{"one.test", "two.test"}

// echoServer starts an HTTP/3 server that sends every body back, until the test ends. It returns what clients
// need, and its port.
func echoServer(t *testing.T) (clientTLS *tls.Config, port string) {
	serverTLS, clientTLS := behind.TLS(t)
	clientTLS = clientTLS.Clone()
	clientTLS.ServerName = behind.Name
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}
	go server.Serve(packets) // the test's; Close ends it
	t.Cleanup(func() {
		server.Close()
		packets.Close()
	})
	_, port, err = net.SplitHostPort(packets.LocalAddr().String())
	require.NoError(t, err)
	return clientTLS, port
}

// transfer posts to both names at the same time through g, which must have been started, and checks that each body
// comes back. When half of each body is sent, it calls meanwhile. It returns the client's PacketConn.
func transfer(t *testing.T, g *testgw.Gateway, meanwhile func()) *dialer.PacketConn {
	return transferBy(t, &socks.Client{Addr: g.Addr().String()}, meanwhile)
}

// transferBy is like transfer, for any Gateway.
func transferBy(t *testing.T, gateway dialer.Gateway, meanwhile func()) *dialer.PacketConn {
	clientTLS, port := echoServer(t)
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: gateway, Table: table}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	client, err := NewClient(ctx, d, clientTLS)
	require.NoError(t, err)
	defer client.Close()

	sent := make([]byte, 1<<20)
	rand.Read(sent)
	var begun, posts sync.WaitGroup
	goOn := make(chan struct{})
	for _, name := range names {
		begun.Add(1)
		posts.Go(func() { // the test's, which waits for it; ends with the context at the latest
			half := len(sent) / 2
			body := io.MultiReader(bytes.NewReader(sent[:half]), &gate{begun.Done, goOn}, bytes.NewReader(sent[half:]))
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+net.JoinHostPort(name, port), body)
			if err != nil {
				t.Error(err)
				return
			}
			response, err := client.Do(request)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer response.Body.Close()
			if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%s: %d bytes came back, %v", name, len(got), err)
			}
		})
	}
	begun.Wait()
	close(goOn)
	meanwhile()
	posts.Wait()
	return client.packets.(*dialer.PacketConn)
}

// gate is an empty part of a body. It reports when it is reached, and delays the rest of the body until it is
// opened.
type gate struct {
	reached func()
	open    <-chan struct{}
}

func (g *gate) Read([]byte) (int, error) {
	g.reached()
	<-g.open
	return 0, io.EOF
}

// TestRelayIsAway: the relay's socket is gone for 100 ms during the transfers, and nothing ends.
func TestRelayIsAway(t *testing.T) {
	hop := new(testgw.Hop)
	defer hop.Close()
	g := testgw.Start(t, &testgw.Gateway{RelayAt: hop.At, Hosts: hosts()})
	p := transfer(t, g, func() {
		hop.Leave()
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, hop.Return())
	})
	stats := p.Stats()
	require.NotZero(t, stats.Unreachable)
	require.Zero(t, stats.Ended)
	require.EqualValues(t, len(names), stats.Made)
}

// TestGatewayRestarts: the gateway ends, and restarts after 300 ms. The associations are made again, so the server
// receives the same connections from other addresses.
func TestGatewayRestarts(t *testing.T) {
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	at := g.Addr().String()
	p := transfer(t, g, func() {
		g.Close()
		time.Sleep(300 * time.Millisecond)
		require.NoError(t, g.Start("tcp", at))
	})
	stats := p.Stats()
	require.EqualValues(t, len(names), stats.Ended)
	require.GreaterOrEqual(t, stats.Made, uint64(2*len(names)))
}

// TestAssociationsEnd: the gateway ends every association during the transfers, but keeps running. Only the
// datagrams in flight are lost.
func TestAssociationsEnd(t *testing.T) {
	g := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	p := transfer(t, g, g.Disconnect)
	stats := p.Stats()
	require.EqualValues(t, len(names), stats.Ended)
	require.EqualValues(t, 2*len(names), stats.Made)
}

// TestGatewayEnds: the gateway of a Group that has the associations ends for good. The transfers continue through
// the other one.
func TestGatewayEnds(t *testing.T) {
	ends := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	stays := testgw.Start(t, &testgw.Gateway{Hosts: hosts()})
	group := &socks.Group{Clients: []*socks.Client{{Addr: ends.Addr().String()}, {Addr: stays.Addr().String()}}}
	p := transferBy(t, group, ends.Close)
	stats := p.Stats()
	require.EqualValues(t, len(names), stats.Ended)
	require.GreaterOrEqual(t, stats.Made, uint64(2*len(names)))
	require.NotEmpty(t, stays.Datagrams())
}

func hosts() map[string][]netip.Addr {
	hosts := make(map[string][]netip.Addr)
	for _, name := range names {
		hosts[name] = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return hosts
}
