package faults

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// parrot is a gateway in memory that sends piece on each connection, whatever it receives. It records what each
// connection received. Its dial is safe for concurrent use.
type parrot struct {
	piece string

	mu    sync.Mutex
	heard []*bytes.Buffer
	done  sync.WaitGroup
}

func (p *parrot) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	heard := new(bytes.Buffer)
	p.mu.Lock()
	p.heard = append(p.heard, heard)
	p.mu.Unlock()
	p.done.Go(func() { _, _ = io.Copy(heard, far) }) // ends with the connection
	p.done.Go(func() {                               // ends when piece is sent, or with the connection
		defer far.Close()
		_, _ = io.WriteString(far, p.piece)
	})
	return near, nil
}

// all waits until every connection has ended, and returns what each received.
func (p *parrot) all() [][]byte {
	p.done.Wait()
	var all [][]byte
	for _, b := range p.heard {
		all = append(all, b.Bytes())
	}
	return all
}

// Whatever a gateway answers, in any order, it gets the credentials at most once per connection, and only on a
// connection whose greeting offered method 2.
func TestCredentialsOnceAndWhereOffered(t *testing.T) {
	says := []string{
		"\x05\x00", "\x05\x02", "\x05\xff", "\x05\x07\x00", "\x01\x00", "\x01\x01", "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50", "\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50",
	}
	auth := socks.UserPass(secretUser, secretPassword)
	runs := 0
	for _, first := range says {
		for _, second := range says {
			for _, third := range append(says, "") {
				for _, h := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
					for _, offers := range [][]socks.Auth{{auth}, {auth, socks.NoAuth}, {socks.NoAuth, auth}, {socks.NoAuth}} {
						runs++
						p := &parrot{piece: first + second + third}
						c := &socks.Client{Addr: "gateway.example:1080", Handshake: h, Auth: offers, Forward: dialFunc(p.dial)}
						conn, err := c.Dial("tcp", "name.example:80")
						if err == nil {
							conn.Close()
						}
						requireOnce(t, p)
					}
				}
			}
		}
	}
	requireNothingLogged(t)
	t.Logf("%d conversations", runs)
}

func requireOnce(t testing.TB, p *parrot) {
	t.Helper()
	for _, heard := range p.all() {
		n := bytes.Count(heard, []byte(secretPassword))
		if n == 0 {
			continue
		}
		require.Equal(t, 1, n, "%q: %q", p.piece, heard)
		offered, err := wire.NewReader(bytes.NewReader(heard)).ReadMethods()
		require.NoError(t, err)
		require.Contains(t, offered, byte(wire.MethodUserPass), "%q", p.piece)
	}
}

// No error quotes the answers of a gateway that echoes the credentials.
func TestCredentialsEchoedAreNotDisclosed(t *testing.T) {
	echoed, err := wire.AppendReply(nil, wire.Succeeded, wire.Addr{Name: "zaphod-user.p4ss", Port: 1})
	require.NoError(t, err)
	for _, answer := range []string{string(echoed), secretPassword + secretUser, "HT" + secretPassword} {
		for _, before := range []string{"", "\x05\x02", "\x05\x02\x01\x00"} {
			p := &parrot{piece: before + answer}
			c := &socks.Client{Addr: "gateway.example:1080", Forward: dialFunc(p.dial), Auth: []socks.Auth{socks.UserPass(secretUser, secretPassword)}}
			_, err := c.DialContext(t.Context(), "udp", "name.example:53")
			require.Error(t, err)
			var seen sightings
			seen.see(err)
			seen.requireNoSecret(t)
			p.all()
		}
	}
}
