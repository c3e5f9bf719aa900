package krb5

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-krb5/krb5/client"
	"github.com/go-krb5/krb5/config"
	"github.com/go-krb5/krb5/credentials"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
)

// kdc requests one ticket from the key distribution centers of a configuration.
type kdc struct {
	config *config.Config
	client *client.Client
}

// stepTimeout bounds a connect to a KDC. The library has the same bound for an answer.
const stepTimeout = 5 * time.Second

// preferred lists the encryption types to request by default: MIT's default, without those for which RFC 4121 has
// no tokens.
var preferred = []int32{
	etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
	etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
}

func newKDC(path string) (*kdc, error) {
	conf, err := config.Load(path)
	if err != nil && !errors.As(err, new(config.UnsupportedDirective)) {
		return nil, err
	}
	lib := &conf.LibDefaults
	standard := config.New().LibDefaults
	if slices.Equal(lib.DefaultTktEnctypeIDs, standard.DefaultTktEnctypeIDs) {
		lib.DefaultTktEnctypeIDs = append(slices.Clone(preferred), etypeID.RC4_HMAC) // only the user's own key may be old
	}
	if slices.Equal(lib.DefaultTGSEnctypeIDs, standard.DefaultTGSEnctypeIDs) {
		lib.DefaultTGSEnctypeIDs = preferred
	}
	lib.DefaultTGSEnctypeIDs = slices.DeleteFunc(slices.Clone(lib.DefaultTGSEnctypeIDs), func(e int32) bool { return !supported(e) })
	if len(lib.DefaultTGSEnctypeIDs) == 0 {
		return nil, fmt.Errorf("%s: default_tgs_enctypes has no AES, which RFC 4121's tokens need", path)
	}
	// The system looks up the KDC's name, even if net.DefaultResolver has been replaced. Active Directory
	// rejects FAST as the library offers it.
	dialer := &net.Dialer{Timeout: stepTimeout, Resolver: new(net.Resolver)}
	return &kdc{conf, client.NewWithPassword("", "", "", conf, client.UseDialer(dialer), client.DisablePAFXFAST(true))}, nil
}

// newKDCFor is like newKDC, for a principal. It returns the principal with its realm.
func newKDCFor(name, path string) (*kdc, principal, error) {
	k, err := newKDC(path)
	if err != nil {
		return nil, principal{}, err
	}
	user := parsePrincipal(name)
	user.realm = cmp.Or(user.realm, k.config.LibDefaults.DefaultRealm)
	if user.realm == "" || name == "" {
		return nil, principal{}, fmt.Errorf("the principal %q has no realm, and the configuration no default_realm", name)
	}
	k.client.Credentials = credentials.NewFromPrincipalName(user.name, user.realm)
	return k, user, nil
}

// limitTo restricts the encryption types to those for which the keytab has a key of the user.
func (k *kdc) limitTo(kt *keytab.Keytab, user principal) error {
	lib := &k.config.LibDefaults
	lib.DefaultTktEnctypeIDs = slices.DeleteFunc(slices.Clone(lib.DefaultTktEnctypeIDs), func(etype int32) bool {
		_, _, err := kt.GetEncryptionKey(user.name, user.realm, 0, etype)
		return err != nil
	})
	if len(lib.DefaultTktEnctypeIDs) == 0 {
		return fmt.Errorf("it has no key of %s of an encryption type that may be used", user)
	}
	return nil
}

// login gets a ticket-granting ticket, and with it a ticket for the service.
func (k *kdc) login(user principal, service string) (*Ticket, error) {
	req, err := messages.NewASReqForTGT(user.realm, k.config, user.name)
	if err != nil {
		return nil, err
	}
	rep, err := k.client.ASExchange(user.realm, req, 0) // unlike Login, it starts no renewal of the ticket
	if err != nil {
		return nil, explain(err)
	}
	part := rep.DecryptedEncPart
	return k.ticketFor(parsePrincipal(service), &Ticket{rep.Ticket, closure(part.Key), rep.CName, rep.CRealm, part.EndTime})
}

// ticketFor gets a ticket for a service with a ticket-granting ticket of the user's realm.
func (k *kdc) ticketFor(service principal, granting *Ticket) (*Ticket, error) {
	defer k.client.Destroy() // referrals leave sessions, which renew themselves
	k.client.Credentials = credentials.NewFromPrincipalName(granting.client, granting.realm)
	host := service.name.NameString[len(service.name.NameString)-1]
	service.realm = cmp.Or(service.realm, k.config.ResolveRealm(host), granting.realm)
	if service.realm != granting.realm {
		var err error
		if granting, err = k.exchange(ticketGranting(service.realm, granting.realm), granting); err != nil {
			return nil, err
		}
	}
	return k.exchange(service, granting)
}

func (k *kdc) exchange(service principal, granting *Ticket) (*Ticket, error) {
	_, rep, err := k.client.TGSREQGenerateAndExchange(service.name, service.realm, granting.ticket, granting.key(), false)
	if err != nil {
		return nil, explain(err)
	}
	part := rep.DecryptedEncPart
	if !(principal{name: service.name}).is(principal{name: part.SName}) { // the library does not check this
		return nil, fmt.Errorf("the KDC answered with a ticket for %s, not for %s", part.SName.PrincipalNameString(), service)
	}
	if err := check(part.Key); err != nil {
		return nil, fmt.Errorf("ticket for %s: %w", service, err)
	}
	return &Ticket{rep.Ticket, closure(part.Key), granting.client, granting.realm, part.EndTime}, nil
}

// causes explains texts in the library's errors. The library has no error values for them, and its own text can be
// misleading: it reports clock skew as a wrong password first.
var causes = []struct{ has, means string }{
	{"KRB_AP_ERR_SKEW", "this machine's clock and the KDC's differ too much"},
	{"clock skew", "this machine's clock and the KDC's differ too much"},
	{"KDC_ERR_C_PRINCIPAL_UNKNOWN", "the KDC does not know the principal"},
	{"KDC_ERR_S_PRINCIPAL_UNKNOWN", "the KDC does not know the service"},
	{"KDC_ERR_PREAUTH_FAILED", "the password or key is wrong"},
	{"integrity verification failed", "the password or key is wrong"},
	{"KDC_ERR_ETYPE_NOSUPP", "the KDC has no encryption type that is asked for (AES is)"},
	{"KDC_ERR_KEY_EXPIRED", "the password has expired"},
	{"KDC_ERR_CLIENT_REVOKED", "the principal is locked"},
	{"KRB_AP_ERR_TKT_EXPIRED", "the ticket has expired"},
	{"no KDCs defined", "the configuration has no KDC for the realm"},
	{"error sending to a KDC", "no KDC can be reached"},
	{"communicate with KDC", "no KDC can be reached"},
}

// explain puts the cause first in an error of the library.
func explain(err error) error {
	for _, c := range causes {
		if strings.Contains(err.Error(), c.has) {
			return fmt.Errorf("%s: %w", c.means, err)
		}
	}
	return err
}
