package acceptor

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"os"
	"time"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/asn1apptag"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/iana/flags"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// The realm and the principals of every Realm.
const (
	RealmName = "TEST.LOCAL"
	User      = "alice"
	Service   = "rcmd/gw.test"
)

// Realm is a Kerberos realm without a KDC. It knows the service's key, and makes tickets itself.
type Realm struct {
	keytab *keytab.Keytab
	key    types.EncryptionKey // the service's
	etype  int32

	SessionKey []byte // of the last ticket
}

const kvno = 1

// NewRealm returns a realm whose keys have the encryption type etype, 17 to 20.
func NewRealm(etype int32) (*Realm, error) {
	r := &Realm{keytab: keytab.New(), etype: etype}
	if err := r.keytab.AddEntry(Service, RealmName, rand.Text(), time.Now(), kvno, etype); err != nil {
		return nil, err
	}
	var err error
	r.key, _, err = r.keytab.GetEncryptionKey(principal(Service), RealmName, kvno, etype)
	return r, err
}

func principal(name string) types.PrincipalName {
	p, _ := types.ParseSPNString(name)
	return p
}

// WriteKeytab writes a keytab file with the service's key.
func (r *Realm) WriteKeytab(path string) error {
	b, err := r.keytab.Marshal()
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

var keyLen = map[int32]int{
	etypeID.AES128_CTS_HMAC_SHA1_96: 16, etypeID.AES256_CTS_HMAC_SHA1_96: 32,
	etypeID.AES128_CTS_HMAC_SHA256_128: 16, etypeID.AES256_CTS_HMAC_SHA384_192: 32,
	etypeID.RC4_HMAC: 16, etypeID.DES3_CBC_SHA1_KD: 24,
}

// Key returns a random key of an encryption type.
func Key(etype int32) types.EncryptionKey {
	key := types.EncryptionKey{KeyType: etype, KeyValue: make([]byte, keyLen[etype])}
	_, _ = rand.Read(key.KeyValue) // never fails
	return key
}

// WriteCache writes a credential cache with a ticket of User for Service. The ticket expires at end. Its session
// key has the encryption type session, or the realm's if that is zero.
func (r *Realm) WriteCache(path string, end time.Time, session int32) error {
	if session == 0 {
		session = r.etype
	}
	key := Key(session)
	r.SessionKey = key.KeyValue
	ticket, err := r.ticket(key, end)
	if err != nil {
		return err
	}
	return os.WriteFile(path, cacheFile(key, end, ticket), 0o600)
}

// ticket forges a ticket (RFC 4120, section 5.3), in DER.
func (r *Realm) ticket(session types.EncryptionKey, end time.Time) ([]byte, error) {
	start := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: session,
		CRealm: RealmName, CName: principal(User),
		AuthTime: start, StartTime: start, EndTime: end.UTC(), RenewTill: end.UTC(),
	}
	types.SetFlag(&part.Flags, flags.PreAuthent)
	b, err := krb5.Marshal(part, asn1apptag.EncTicketPart)
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(b, r.key, keyusage.KDC_REP_TICKET, kvno)
	if err != nil {
		return nil, err
	}
	t := messages.Ticket{TktVNO: 5, Realm: RealmName, SName: principal(Service), EncPart: sealed}
	return t.Marshal()
}

// cacheFile returns a credential cache in MIT's format, version 4.
func cacheFile(key types.EncryptionKey, end time.Time, ticket []byte) []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if s, ok := v.([]byte); ok {
				binary.Write(&b, binary.BigEndian, uint32(len(s)))
			}
			binary.Write(&b, binary.BigEndian, v)
		}
	}
	owner := func() { put(uint32(1), uint32(1), []byte(RealmName), []byte(User)) }
	put(uint16(0x0504), uint16(0))
	owner()
	owner()
	service := principal(Service).NameString
	put(uint32(1), uint32(len(service)), []byte(RealmName))
	for _, s := range service {
		put([]byte(s))
	}
	put(uint16(key.KeyType), key.KeyValue)
	ends, now := uint32(end.Unix()), uint32(time.Now().Add(-time.Hour).Unix())
	put(now, now, ends, ends)
	put(uint8(0), uint32(0), uint32(0), uint32(0)) // flags, no addresses, no authorization data
	put(ticket, []byte{})
	return b.Bytes()
}
