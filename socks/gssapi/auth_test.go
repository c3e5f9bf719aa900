package gssapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/acceptor"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// Every protection with every encryption type, of the ticket and of a subkey of the gateway's.
func TestNegotiate(t *testing.T) {
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
						require.IsType(t, (*net.TCPConn)(nil), near.NetConn(), "nothing is between")
					}
				})
			}
		}
	}
}

func TestNEC(t *testing.T) {
	for _, p := range protectionsAll {
		r, auth := realm(t, aes256)
		auth.Protection, auth.NEC = p, true
		near, far := connect(t, clientOf(t, accepting(&acceptor.Acceptor{Realm: r, NEC: true}), auth))
		exchanges(t, near, far)
	}
}

// The gateway's protection is taken when it is at least what is asked for, and nothing else is.
func TestLevels(t *testing.T) {
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

// bent dials a gateway that does what an Acceptor is told to.
func bent(t *testing.T, acc *acceptor.Acceptor) error {
	t.Helper()
	c, g := world(t, Confidentiality, acc)
	_, err := c.Dial("tcp", "127.0.0.1:9")
	require.Error(t, err)
	require.Empty(t, g.Requests(), "no name is told to a gateway that has not proved what it is")
	return err
}

func TestRefusals(t *testing.T) {
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

// Nothing but the gateway's own answers are taken, whatever is cut off or changed.
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
			require.ErrorIs(t, bend(func(token []byte) []byte { return token[:n] }), socks.ErrProtocol, "%d bytes of %d", n, length)
			for bit := range 8 {
				err := bend(func(token []byte) []byte { token[n] ^= 1 << bit; return token })
				if at == acceptor.Protection && n >= 6 && n < 8 && err == nil {
					continue // RRC is not protected; a whole turn, 13 bytes, is none
				}
				require.Error(t, err, "byte %d, bit %d", n, bit)
				require.True(t, errors.Is(err, socks.ErrProtocol) || errors.Is(err, socks.ErrAuthFailed), "%v", err)
			}
		}
		require.ErrorIs(t, bend(func(token []byte) []byte { return append(token, 0) }), socks.ErrProtocol)
	}
}

func TestCredentials(t *testing.T) {
	r, good := realm(t, aes256)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	write := func(name string, end time.Time, session int32) string {
		path := filepath.Join(dir, name)
		require.NoError(t, r.WriteCache(path, end, session))
		return path
	}
	whole, err := os.ReadFile(write("whole", time.Now().Add(time.Hour), 0))
	require.NoError(t, err)
	config := file("krb5.conf", []byte("[libdefaults]\n default_realm = TEST.LOCAL\n[realms]\n TEST.LOCAL = {\n  kdc = 127.0.0.1:1\n }\n"))
	keytab := filepath.Join(dir, "keytab")
	require.NoError(t, r.WriteKeytab(keytab))
	keys, err := os.ReadFile(keytab)
	require.NoError(t, err)
	t.Setenv("KRB5CCNAME", "KEYRING:persistent:0")
	for name, c := range map[string]struct {
		credentials Credentials
		text        string
	}{
		"no cache":            {Cache(filepath.Join(dir, "none")), "no such file"},
		"empty cache":         {Cache(file("empty", nil)), "not a credential cache"},
		"cut cache":           {Cache(file("cut", whole[:len(whole)/2])), "not a credential cache"},
		"expired":             {Cache(write("expired", time.Now().Add(-time.Minute), 0)), "expired at"},
		"of an old type":      {Cache(write("rc4", time.Now().Add(time.Hour), 23)), "encryption type 23"},
		"another kind":        {Cache("KCM:"), "KCM"},
		"the environment's":   {Cache(""), "KEYRING"},
		"zero":                {Credentials{}, "KEYRING"},
		"no keytab":           {Keytab(filepath.Join(dir, "none"), "alice"), "no such file"},
		"no keytab's content": {Keytab(file("keys", keys[:len(keys)-5]), "alice"), "not a keytab"},
		"keytab of others":    {Keytab(keytab, "alice"), "no key of alice@TEST.LOCAL"},
		"password, no KDC":    {Password("alice", "secret"), "no KDC can be reached"},
		"password, no one":    {Password("", "secret"), "realm"},
		"password, far realm": {Password("alice@FAR.LOCAL", "secret"), "no KDC for the realm"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := &Auth{Service: acceptor.Service, Credentials: c.credentials, Config: config}
			g := accepting(&acceptor.Acceptor{Realm: r})
			_, err := clientOf(t, g, auth).Dial("tcp", "127.0.0.1:9")
			require.ErrorIs(t, err, ErrCredentials)
			require.ErrorContains(t, err, c.text)
			require.NotErrorIs(t, err, socks.ErrGateway, "another gateway would not help")
			require.NotContains(t, err.Error(), "secret")
			require.Empty(t, g.Requests())
			if strings.HasPrefix(name, "no ") && strings.Contains(c.text, "no such") {
				require.ErrorIs(t, err, fs.ErrNotExist, "the cause is in the chain")
			}
		})
	}
	for _, a := range []*Auth{{Credentials: good.Credentials}, {Service: "x", Credentials: good.Credentials, Protection: 3}, {Service: "x", Protection: -1}} {
		_, err := clientOf(t, accepting(&acceptor.Acceptor{Realm: r}), a).Dial("tcp", "127.0.0.1:9")
		require.ErrorContains(t, err, "gssapi: the Auth")
	}
}

func TestCacheFile(t *testing.T) {
	t.Setenv("KRB5CCNAME", "")
	path, err := cacheFile("")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), path)
	t.Setenv("KRB5CCNAME", "FILE:/tmp/mine")
	for name, want := range map[string]string{"": "/tmp/mine", "FILE:x": "x", "/tmp/a:b": "/tmp/a:b", "relative": "relative", `C:\cc`: `C:\cc`} {
		path, err := cacheFile(name)
		require.NoError(t, err)
		require.Equal(t, want, path)
	}
	for _, name := range []string{"DIR:/tmp", "KEYRING:x", "API:", "MEMORY:1"} {
		_, err := cacheFile(name)
		require.Error(t, err)
	}
	a := &Auth{Config: "/mine"}
	require.Equal(t, "/mine", a.configFile())
	t.Setenv("KRB5_CONFIG", "/the/environment's")
	require.Equal(t, "/the/environment's", new(Auth).configFile())
	t.Setenv("KRB5_CONFIG", "")
	require.Equal(t, "/etc/krb5.conf", new(Auth).configFile())
}

// Secrets are in no form of an Auth, before or after it has a ticket.
func TestNothingPrints(t *testing.T) {
	r, auth := realm(t, aes256)
	c := clientOf(t, accepting(&acceptor.Acceptor{Realm: r}), auth)
	shown := func(v any) string {
		var b strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		j, _ := json.Marshal(v)
		b.Write(j)
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "auth", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("", "auth", v)
		return b.String()
	}
	secret := &Auth{Service: acceptor.Service, Credentials: Password("alice", "very secret")}
	for _, v := range []any{secret, secret.Credentials, []*Auth{secret}, &socks.Client{Auth: []socks.Auth{secret}}} {
		require.NotContains(t, shown(v), "very secret")
		require.NotContains(t, shown(v), fmt.Sprintf("%x", "very secret"))
	}
	connect(t, c)
	require.NotNil(t, auth.tickets.kept)
	key := r.SessionKey
	for _, v := range []any{auth, c} {
		for _, form := range []string{"%s", "%x", "%v", "%d", "%q"} {
			require.NotContains(t, shown(v), fmt.Sprintf(form, key), form)
		}
	}
}

// counted counts the tickets that are fetched, and lets none through before open is closed.
func counted(auth *Auth, open <-chan struct{}) *atomic.Int64 {
	get, n := auth.Credentials.ticket, new(atomic.Int64)
	auth.Credentials.ticket = func(config, service string) (*krb5.Ticket, error) {
		n.Add(1)
		<-open
		return get(config, service)
	}
	return n
}

var opened = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// One ticket serves all dials, those that wait at once too, and who gives up does not end the others' wait.
func TestOneTicket(t *testing.T) {
	r, auth := realm(t, aes256)
	open := make(chan struct{})
	fetched := counted(auth, open)
	c := clientOf(t, accepting(&acceptor.Acceptor{Realm: r}), auth)
	l := listen(t)
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { // ends with cancel
		_, err := c.DialContext(impatient, "tcp", l.Addr().String())
		gaveUp <- err
	}()
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() { // the test's, which waits for it; ends with its dial
			conn, err := c.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	require.Eventually(t, func() bool { return fetched.Load() == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	close(open)
	running.Wait()
	require.EqualValues(t, 1, fetched.Load())
}

// A ticket is kept until a minute before its end, and not after a refusal or a hang-up: the gateway may
// have a new key.
func TestTicketIsDropped(t *testing.T) {
	r, auth := realm(t, aes256)
	fetched := counted(auth, opened)
	type bending func(mtyp byte, msg []byte) []byte
	var behave atomic.Value
	acc := &acceptor.Acceptor{Realm: r, Raw: func(mtyp byte, msg []byte) []byte { return behave.Load().(bending)(mtyp, msg) }}
	c := clientOf(t, accepting(acc), auth)
	good := func(_ byte, msg []byte) []byte { return msg }
	dial := func(b bending) error {
		behave.Store(b)
		conn, err := c.Dial("tcp", listen(t).Addr().String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	for range 3 {
		require.NoError(t, dial(good))
	}
	require.EqualValues(t, 1, fetched.Load())
	require.ErrorIs(t, dial(func(byte, []byte) []byte { return []byte{1, 0xFF} }), socks.ErrAuthFailed)
	require.NoError(t, dial(good))
	require.EqualValues(t, 2, fetched.Load())
	require.ErrorIs(t, dial(func(byte, []byte) []byte { return nil }), socks.ErrGateway)
	require.NoError(t, dial(good))
	require.Greater(t, fetched.Load(), int64(2))

	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, r.WriteCache(short, time.Now().Add(krb5.Margin+2*time.Second), 0))
	auth = &Auth{Service: acceptor.Service, Credentials: Cache(short)}
	fetched = counted(auth, opened)
	for range 2 {
		_, err := auth.tickets.get(t.Context(), auth.ticket)
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, fetched.Load())
	auth.tickets.kept.End = time.Now().Add(krb5.Margin - time.Second)
	_, err := auth.tickets.get(t.Context(), auth.ticket)
	require.NoError(t, err)
	require.EqualValues(t, 2, fetched.Load())
}

// A dial ends with its context, whatever it waits for.
func TestCancelAtEachStep(t *testing.T) {
	for _, step := range []byte{acceptor.Token, acceptor.Protection, acceptor.Data} {
		reached, stop := make(chan struct{}, 1), make(chan struct{})
		acc := &acceptor.Acceptor{Raw: func(mtyp byte, msg []byte) []byte {
			if mtyp == step {
				reached <- struct{}{}
				<-stop
			}
			return msg
		}}
		c, _ := world(t, Confidentiality, acc)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() { // ends with cancel
			_, err := c.DialContext(ctx, "tcp", listen(t).Addr().String())
			failed <- err
		}()
		<-reached
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		close(stop)
	}
}

// Another gateway is tried when one hangs up, and not when one refuses.
func TestGroup(t *testing.T) {
	r, auth := realm(t, aes256)
	dead := clientOf(t, accepting(&acceptor.Acceptor{Realm: r, Raw: func(byte, []byte) []byte { return nil }}), auth)
	good := accepting(&acceptor.Acceptor{Realm: r})
	alive := clientOf(t, good, auth)
	group := &socks.Group{Clients: []*socks.Client{dead, alive}}
	conn, err := group.DialContext(t.Context(), "tcp", listen(t).Addr().String())
	require.NoError(t, err)
	conn.Close()
	require.Len(t, good.Requests(), 1)

	refusing := clientOf(t, accepting(&acceptor.Acceptor{Realm: r, Refuse: 37}), auth)
	group = &socks.Group{Clients: []*socks.Client{refusing, alive}}
	_, err = group.DialContext(t.Context(), "tcp", listen(t).Addr().String())
	require.ErrorIs(t, err, socks.ErrAuthFailed)
}

// Spare connections are protected too.
func TestSpare(t *testing.T) {
	for _, p := range protectionsAll {
		c, _ := world(t, p, new(acceptor.Acceptor))
		c.Spare = 2
		for dials := 0; c.Stats().SpareHits < 3; dials++ {
			require.Less(t, dials, 1000)
			near, far := connect(t, c)
			exchanges(t, near, far)
			near.Close()
			far.Close()
		}
		pc := associate(t, c)
		_, err := pc.WriteToAddrPort([]byte("datagram"), echo(t))
		require.NoError(t, err)
		b := make([]byte, 100)
		n, _, err := pc.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "datagram", string(b[:n]))
	}
}

// A dial takes four round trips.
func TestRoundTrips(t *testing.T) {
	c, _ := world(t, Confidentiality, new(acceptor.Acceptor))
	var writes atomic.Int64
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return counting{conn, &writes}, err
	})
	connect(t, c)
	require.EqualValues(t, 4, writes.Load(), "greeting, token, protection, request")
}

// counting counts what is written at once.
type counting struct {
	net.Conn
	writes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// Whatever the way to the gateway is, streams and datagrams are protected on it.
func TestWays(t *testing.T) {
	r, auth := realm(t, aes256)
	acc := &acceptor.Acceptor{Realm: r, Rotate: 28, Chunk: 100}
	for name, way := range map[string]func(g *testgw.Gateway) *socks.Client{
		"TLS": func(g *testgw.Gateway) *socks.Client {
			server, client, err := testgw.NewTLS()
			require.NoError(t, err)
			g.TLS = server
			c := clientOf(t, g, auth)
			c.TLS = client
			return c
		},
		"unix": func(g *testgw.Gateway) *socks.Client {
			path := filepath.Join(t.TempDir(), "gw")
			require.NoError(t, g.Start("unix", path))
			t.Cleanup(g.Close)
			return &socks.Client{Network: "unix", Addr: path, Auth: []socks.Auth{auth}}
		},
		"chain": func(g *testgw.Gateway) *socks.Client {
			first := clientOf(t, accepting(acc), auth)
			c := clientOf(t, g, auth)
			c.Forward = first
			return c
		},
		"a byte at a time": func(g *testgw.Gateway) *socks.Client {
			g.Misbehave = func(int) testgw.Fault { return testgw.Fault{Drip: true} }
			return clientOf(t, g, auth)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := way(accepting(acc))
			near, far := connect(t, c)
			exchanges(t, near, far)
			halfCloses(t, near, far)
			to := echo(t)
			pc := associate(t, c)
			_, err := pc.WriteToAddrPort([]byte("datagram"), to)
			require.NoError(t, err)
			b := make([]byte, 100)
			n, from, err := pc.ReadFromAddrPort(b)
			require.NoError(t, err)
			require.Equal(t, "datagram", string(b[:n]))
			require.Equal(t, to, from)
		})
	}
}

// A name that has a fake address goes to the gateway, protected, as a stream and as datagrams.
func TestBehindDialer(t *testing.T) {
	c, g := world(t, Confidentiality, new(acceptor.Acceptor))
	g.Hosts["name.example"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	table, err := mapping.New(mapping.Config{})
	require.NoError(t, err)
	d := &dialer.Dialer{Gateway: c, Table: table}
	fake, err := table.Assign("ip4", "name.example")
	require.NoError(t, err)

	l := listen(t)
	near, err := d.DialContext(t.Context(), "tcp", netip.AddrPortFrom(fake, l.Addr().(*net.TCPAddr).AddrPort().Port()).String())
	require.NoError(t, err)
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	exchanges(t, near, far)

	conn, err := d.DialContext(t.Context(), "udp", netip.AddrPortFrom(fake, echo(t).Port()).String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	fmt.Fprint(conn, "datagram")
	b := make([]byte, 100)
	n, err := conn.Read(b)
	require.NoError(t, err)
	require.Equal(t, "datagram", string(b[:n]))
	for _, request := range g.Requests() {
		require.Equal(t, acceptor.User, request.User)
	}
}

// Beside other methods, in whatever handshake, again and again.
func TestBesideOtherMethods(t *testing.T) {
	r, auth := realm(t, aes256)
	for _, way := range []socks.Handshake{socks.HandshakeAuto, socks.HandshakeStepwise, socks.HandshakePipelined} {
		for _, other := range []socks.Auth{socks.NoAuth, socks.UserPass("alice", "secret")} {
			g := accepting(&acceptor.Acceptor{Realm: r})
			c := clientOf(t, g, other, auth)
			c.Handshake = way
			for range 4 {
				near, far := connect(t, c)
				exchanges(t, near, far)
			}
		}
	}
}

// The Client's Timeout bounds the negotiation.
func TestSilentGateway(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	c, _ := world(t, Confidentiality, &acceptor.Acceptor{Raw: func(_ byte, msg []byte) []byte { <-stop; return msg }})
	c.Timeout = 300 * time.Millisecond
	_, err := c.Dial("tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, socks.ErrGateway)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// The Kerberos library is this module's alone.
func TestRootModule(t *testing.T) {
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("..", "..", name))
		require.NoError(t, err)
		require.False(t, bytes.Contains(b, []byte("krb5")))
	}
}
