package gssapi

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
)

// Every protection works with every encryption type, of the ticket and of a subkey of the gateway.
func TestEveryProtectionIsNegotiated(t *testing.T) {
	for _, etype := range []int32{aes128, aes256, aes128sha2, aes256sha2} {
		for _, subkey := range []int32{0, etype, aes256 + aes128 - etype%2} {
			for _, p := range protectionsAll {
				t.Run(fmt.Sprint(etype, subkey, p), func(t *testing.T) {
					if subkey != 0 && subkey > aes256 {
						subkey = aes256
					}
					r, auth := realm(t, etype)
					auth.Protection = p
					g := accepting(&acceptor.Acceptor{Realm: r, Subkey: subkey})
					near, far := connect(t, clientOf(t, g, auth))
					exchanges(t, near, far)
					require.Equal(t, acceptor.User, g.Requests()[0].User)
					if p == None {
						require.IsType(t, (*net.TCPConn)(nil), near.NetConn(), "None must not wrap the connection")
					}
				})
			}
		}
	}
}

func TestNECNegotiatesInClearText(t *testing.T) {
	for _, p := range protectionsAll {
		r, auth := realm(t, aes256)
		auth.Protection, auth.NEC = p, true
		near, far := connect(t, clientOf(t, accepting(&acceptor.Acceptor{Realm: r, NEC: true}), auth))
		exchanges(t, near, far)
	}
}

// The gateway's protection is accepted only if it is at least the requested one.
func TestLowerProtectionIsRefused(t *testing.T) {
	for _, nec := range []bool{false, true} {
		for _, p := range protectionsAll {
			for level := range 5 {
				r, auth := realm(t, aes256)
				auth.Protection, auth.NEC = p, nec
				acc := &acceptor.Acceptor{Realm: r, NEC: nec, Level: func(asked byte) byte {
					require.Equal(t, protections[p].level, asked)
					return byte(level)
				}}
				c := clientOf(t, accepting(acc), auth)
				if level <= 2 && level >= int(protections[p].level) {
					near, far := connect(t, c)
					exchanges(t, near, far)
					continue
				}
				_, err := c.Dial("tcp", "127.0.0.1:9")
				require.ErrorIs(t, err, socks.ErrProtocol)
				require.ErrorContains(t, err, p.String())
			}
		}
	}
}

// bent dials a gateway that behaves as acc says, and returns the error.
func bent(t *testing.T, acc *acceptor.Acceptor) error {
	t.Helper()
	c, g := world(t, Confidentiality, acc)
	_, err := c.Dial("tcp", "127.0.0.1:9")
	require.Error(t, err)
	require.Empty(t, g.Requests(), "a gateway that is not authenticated must not get a request")
	return err
}

func TestRefusalsHaveTheirErrors(t *testing.T) {
	other, err := acceptor.NewRealm(aes256)
	require.NoError(t, err)
	_, auth := realm(t, aes256)
	_, err = clientOf(t, accepting(&acceptor.Acceptor{Realm: other}), auth).Dial("tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, socks.ErrAuthFailed, "01 ff")
	for _, cause := range []string{acceptor.Service, "keytab", "clocks"} {
		require.ErrorContains(t, err, cause)
	}

	err = bent(t, &acceptor.Acceptor{Refuse: 37})
	require.ErrorIs(t, err, socks.ErrAuthFailed)
	require.ErrorContains(t, err, "KRB-ERROR (37)")
	require.ErrorContains(t, err, "SKEW")
	require.ErrorContains(t, err, `"no"`)

	end := func(at byte) *acceptor.Acceptor {
		return &acceptor.Acceptor{Bend: func(mtyp byte, token []byte) []byte {
			if mtyp == at {
				return nil
			}
			return token
		}}
	}
	err = bent(t, end(acceptor.Token))
	require.ErrorIs(t, err, socks.ErrGateway)
	for _, cause := range []string{acceptor.Service, "keytab", "clocks"} {
		require.ErrorContains(t, err, cause)
	}
	err = bent(t, end(acceptor.Protection))
	require.ErrorIs(t, err, socks.ErrGateway)
	require.ErrorContains(t, err, "may not allow confidentiality")

	abort := func(at byte) *acceptor.Acceptor {
		return &acceptor.Acceptor{Raw: func(mtyp byte, msg []byte) []byte {
			if mtyp == at {
				return []byte{1, 0xFF}
			}
			return msg
		}}
	}
	require.ErrorIs(t, bent(t, abort(acceptor.Token)), socks.ErrAuthFailed)
	require.ErrorIs(t, bent(t, abort(acceptor.Protection)), socks.ErrAuthFailed)
	for _, msg := range []string{"\x02\x01\x00\x00", "\x01\x03\x00\x01x", "\x05\x00\x00\x00", "\x01\x01\x00\x00", "\x01\x01\x00\x01x", "\x01\x01\x00\x02\x60\x80"} {
		err := bent(t, &acceptor.Acceptor{Raw: func(byte, []byte) []byte { return []byte(msg) }})
		require.ErrorIs(t, err, socks.ErrProtocol, "%q", msg)
	}
}

// handshake negotiates with an acceptor over a pipe.
func handshake(t *testing.T, auth *Auth, acc *acceptor.Acceptor) error {
	near, far := net.Pipe()
	defer near.Close()
	var running sync.WaitGroup
	running.Go(func() { // this call's, which waits for it; ends with the pipe
		defer far.Close()
		acc.Negotiate(t.Context(), far)
	})
	defer running.Wait()
	defer near.Close()
	_, err := auth.Negotiate(t.Context(), near)
	return err
}

// A gateway's answer that is truncated, or in which a bit is changed, is not accepted.
func TestEveryTruncationAndBitFlip(t *testing.T) {
	r, auth := realm(t, aes256)
	for _, at := range []byte{acceptor.Token, acceptor.Protection} {
		var length int
		bend := func(change func(token []byte) []byte) error {
			return handshake(t, auth, &acceptor.Acceptor{Realm: r, Subkey: aes256, Bend: func(mtyp byte, token []byte) []byte {
				if mtyp == at {
					length = len(token)
					return change(token)
				}
				return token
			}})
		}
		require.NoError(t, bend(func(token []byte) []byte { return token }))
		for n := range length {
			last := func(token []byte) int { return min(n, len(token)-1) } // the encoding of some numbers is a byte shorter
			require.ErrorIs(t, bend(func(token []byte) []byte { return token[:last(token)] }), socks.ErrProtocol, "%d bytes of %d", n, length)
			for bit := range 8 {
				err := bend(func(token []byte) []byte { token[last(token)] ^= 1 << bit; return token })
				if at == acceptor.Protection && n >= 6 && n < 8 && err == nil {
					continue // RRC is not protected, and a rotation by the whole length changes nothing
				}
				require.Error(t, err, "byte %d, bit %d", n, bit)
				require.True(t, errors.Is(err, socks.ErrProtocol) || errors.Is(err, socks.ErrAuthFailed), "%v", err)
			}
		}
		require.ErrorIs(t, bend(func(token []byte) []byte { return append(token, 0) }), socks.ErrProtocol)
	}
}

// The root module does not depend on the Kerberos library.
func TestRootModuleNeedsNoKerberosLibrary(t *testing.T) {
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("..", "..", name))
		require.NoError(t, err)
		require.False(t, bytes.Contains(b, []byte("krb5")))
	}
}
