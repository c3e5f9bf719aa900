package krb5

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// Ticket is a ticket for a service, with its session key. It is immutable and safe for concurrent use.
type Ticket struct {
	ticket messages.Ticket
	key    func() types.EncryptionKey // the session key, in a closure so that it is never printed
	client types.PrincipalName
	realm  string // the client's
	End    time.Time
}

func closure(key types.EncryptionKey) func() types.EncryptionKey {
	return func() types.EncryptionKey { return key }
}

// Margin is the time before its end at which a ticket is replaced, because other clocks may differ.
const Margin = time.Minute

// FromCache gets a ticket from a credential cache: the cached one for the service, or a new one from the KDC with
// the cache's ticket-granting ticket. It reads the configuration only in the second case.
func FromCache(path, config, service string) (t *Ticket, err error) {
	defer recovered(&err)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parseCache(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	asked := parsePrincipal(service)
	e, missing := c.find(asked, time.Now().Add(Margin))
	if missing == nil {
		return c.ticket(e)
	}
	tgt, err := c.find(ticketGranting(c.owner.realm, c.owner.realm), time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w; %w", path, missing, err)
	}
	k, err := newKDC(config)
	if err != nil {
		return nil, err
	}
	granting, err := c.ticket(tgt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k.ticketFor(asked, granting)
}

func (c *cache) ticket(e *cached) (*Ticket, error) {
	t := &Ticket{key: closure(e.key), client: c.owner.name, realm: c.owner.realm, End: e.end}
	return t, t.ticket.Unmarshal(e.ticket)
}

// FromKeytab gets a ticket from the KDC with the principal's key in a keytab.
func FromKeytab(path, name, config, service string) (t *Ticket, err error) {
	defer recovered(&err)
	kt := keytab.New()
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if kt.Unmarshal(b) != nil { // its error would disclose the keys
		return nil, fmt.Errorf("%s: not a keytab, or a truncated one", path)
	}
	k, user, err := newKDCFor(name, config)
	if err != nil {
		return nil, err
	}
	if err := k.limitTo(kt, user); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	k.client.Credentials.WithKeytab(kt)
	return k.login(user, service)
}

// FromPassword gets a ticket from the KDC with the principal's password.
func FromPassword(name, password, config, service string) (t *Ticket, err error) {
	defer recovered(&err)
	k, user, err := newKDCFor(name, config)
	if err != nil {
		return nil, err
	}
	k.client.Credentials.WithPassword(password)
	return k.login(user, service)
}

// parsePrincipal parses "service/host", with or without "@REALM".
func parsePrincipal(s string) principal {
	name, realm := s, ""
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		name, realm = s[:i], s[i+1:]
	}
	return principal{types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, name), realm}
}

// ticketGranting returns the principal of the service in the realm at that grants tickets for services in the
// realm of.
func ticketGranting(of, at string) principal {
	return principal{types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", of}}, at}
}

func (p principal) String() string {
	s := p.name.PrincipalNameString()
	if p.realm != "" {
		s += "@" + p.realm
	}
	return s
}
