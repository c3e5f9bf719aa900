//go:build dante

package gssapi

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// fails makes a dial that must fail, and returns the error in the document's form.
func fails(t *testing.T, c *socks.Client, want error, text string) string {
	t.Helper()
	_, err := c.Dial("tcp", "127.0.0.1:1")
	require.ErrorIs(t, err, want)
	require.ErrorContains(t, err, text)
	switch want {
	case socks.ErrGateway:
		return "*socks.ErrGateway*"
	case ErrCredentials:
		return "*gssapi.ErrCredentials*"
	case socks.ErrConnectionRefused:
		return "*socks.ErrConnectionRefused*"
	}
	return err.Error()
}

func (r *danteRun) refusals(t *testing.T) {
	addr, _ := r.good().start(t)
	for _, p := range protectionsAll {
		r.record(t, "CONNECT, port closed, "+p.String(), "cache", func(t *testing.T) string {
			return fails(t, r.client(addr, "cache", p), socks.ErrConnectionRefused, "refused")
		})
	}
	r.record(t, "another service's ticket", "cache", func(t *testing.T) string {
		c := r.client(addr, "cache", Confidentiality)
		c.Auth[0].(*Auth).Service = "rcmd/other.test"
		return fails(t, c, socks.ErrGateway, "principal")
	})
	r.record(t, "unknown service", "cache", func(t *testing.T) string {
		c := r.client(addr, "cache", Confidentiality)
		c.Auth[0].(*Auth).Service = "rcmd/nobody.test"
		return fails(t, c, ErrCredentials, "does not know the service")
	})
	r.record(t, "none offered", "none", func(t *testing.T) string {
		_, err := (&socks.Client{Addr: addr}).Dial("tcp", "127.0.0.1:1")
		require.ErrorIs(t, err, socks.ErrNoAcceptableAuth)
		return "*socks.ErrNoAcceptableAuth*"
	})
	for _, allowed := range []string{"integrity confidentiality", "integrity", "confidentiality"} {
		d := r.good()
		d.enctypes = allowed
		addr, _ := d.start(t)
		for _, p := range protectionsAll {
			r.record(t, fmt.Sprintf("CONNECT, %s, the gateway allows %s", p, strings.ReplaceAll(allowed, " ", " and ")), "cache", func(t *testing.T) string {
				if !strings.Contains(allowed, p.String()) {
					return fails(t, r.client(addr, "cache", p), socks.ErrGateway, "may not allow "+p.String())
				}
				near, far := connect(t, r.client(addr, "cache", p))
				exchanges(t, near, far)
				return works
			})
		}
	}
	d := r.good()
	realm, _ := realm(t, aes256)
	d.keytab = filepath.Join(r.dir, "wrong.keytab")
	require.NoError(t, realm.WriteKeytab(d.keytab))
	addr, _ = d.start(t)
	r.record(t, "another key in the gateway's keytab", "cache", func(t *testing.T) string {
		return fails(t, r.client(addr, "cache", Confidentiality), socks.ErrGateway, "keytab")
	})
}

// variants tests NEC's negotiation of the protection, and the encryption types.
func (r *danteRun) variants(t *testing.T) {
	d := r.good()
	d.more = "clientcompatibility: necgssapi"
	addr, _ := d.start(t)
	for _, p := range protectionsAll {
		r.record(t, "CONNECT, NEC, "+p.String(), "cache", func(t *testing.T) string {
			c := r.client(addr, "cache", p)
			c.Auth[0].(*Auth).NEC = true
			near, far := connect(t, c)
			exchanges(t, near, far)
			return works
		})
	}
	for _, etype := range []string{"17", "18", "19", "20"} {
		d := r.good()
		d.service = "rcmd/gw" + etype + ".test"
		addr, log := d.start(t)
		r.record(t, "CONNECT and UDP ASSOCIATE, encryption type "+etype, "cache", func(t *testing.T) string {
			for _, p := range []Protection{Confidentiality, Integrity} {
				c := r.client(addr, "cache", p)
				c.Auth[0].(*Auth).Service = d.service
				near, far := connect(t, c)
				exchanges(t, near, far)
				pc := associate(t, c)
				_, err := pc.WriteToAddrPort([]byte("datagram"), echo(t))
				require.NoError(t, err)
				b := make([]byte, 100)
				n, _, err := pc.ReadFromAddrPort(b)
				require.NoError(t, err)
				require.Equal(t, "datagram", string(b[:n]))
				require.Contains(t, log(), fmt.Sprintf("gssapi/%s%%alice@TEST.LOCAL", p))
			}
			return works
		})
	}
}

// clocks tests clocks that are 20 minutes off.
func (r *danteRun) clocks(t *testing.T) {
	programPath(t, "faketime", "faketime")
	ahead := []string{"LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1", "FAKETIME=+20m"}
	d := r.good()
	d.environ = ahead
	addr, log := d.start(t)
	r.record(t, "the gateway's clock is 20 minutes ahead", "cache", func(t *testing.T) string {
		result := fails(t, r.client(addr, "cache", Confidentiality), socks.ErrGateway, "clocks")
		require.Eventually(t, func() bool { return strings.Contains(log(), "Clock skew") }, 10*time.Second, 20*time.Millisecond, "the gateway's log has no clock skew")
		return result
	})
	good, _ := r.good().start(t)
	early := kdc(t, ahead...)
	for _, user := range []string{"alice", "bob"} { // the KDC requires pre-authentication, an encrypted time, of one of them only
		r.record(t, "the KDC's clock is 20 minutes ahead, "+user, "password", func(t *testing.T) string {
			auth := &Auth{Service: "rcmd/gw.test", Credentials: Password(user, "secret"), Config: filepath.Join(early, "krb5.conf")}
			return fails(t, &socks.Client{Addr: good, Auth: []socks.Auth{auth}}, ErrCredentials, "clock")
		})
	}
}
