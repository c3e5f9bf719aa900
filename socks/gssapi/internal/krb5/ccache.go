package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-krb5/krb5/types"
)

// principal is a name with its realm.
type principal struct {
	name  types.PrincipalName
	realm string
}

// is reports whether p and q are the same principal. The type of a name is not significant (RFC 4120, section
// 6.2). An empty realm in p matches any.
func (p principal) is(q principal) bool {
	return (p.realm == "" || p.realm == q.realm) && slices.Equal(p.name.NameString, q.name.NameString)
}

// cached is an entry of a credential cache.
type cached struct {
	client, server principal
	key            types.EncryptionKey
	end            time.Time
	ticket         []byte // in DER
}

// cache is the content of a credential cache file in MIT's format, version 3 or 4. Versions 1 and 2, in the byte
// order of their machine, are obsolete.
type cache struct {
	owner   principal
	entries []cached
}

// scanner reads a cache. After the first error it returns zeros.
type scanner struct {
	b   []byte
	err error
}

var errCache = errors.New("not a credential cache, or a truncated one")

func parseCache(b []byte) (*cache, error) {
	s := &scanner{b: b}
	version := s.uint16()
	switch version {
	case 0x0503:
	case 0x0504:
		s.next(int(s.uint16())) // a header, with the difference between the KDC's clock and ours
	default:
		return nil, errCache
	}
	c := &cache{owner: s.principal()}
	for len(s.b) > 0 && s.err == nil {
		c.entries = append(c.entries, s.entry(version))
	}
	return c, s.err
}

func (s *scanner) entry(version uint16) cached {
	e := cached{client: s.principal(), server: s.principal()}
	e.key.KeyType = int32(s.uint16())
	if version == 0x0503 {
		s.uint16() // the encryption type again
	}
	e.key.KeyValue = s.data()
	s.uint32() // the time of authentication
	s.uint32() // the time at which it becomes valid
	e.end = time.Unix(int64(s.uint32()), 0)
	s.uint32()    // the time until which it can be renewed
	s.next(1 + 4) // is_skey, whether it is encrypted with another ticket's key; flags
	for range 2 { // addresses; authorization data
		for n := s.uint32(); n > 0 && s.err == nil; n-- {
			s.uint16()
			s.data()
		}
	}
	e.ticket = s.data()
	s.data() // the second ticket, of user-to-user authentication
	return e
}

func (s *scanner) principal() principal {
	p := principal{name: types.PrincipalName{NameType: int32(s.uint32())}}
	n := s.uint32()
	p.realm = string(s.data())
	for ; n > 0 && s.err == nil; n-- {
		p.name.NameString = append(p.name.NameString, string(s.data()))
	}
	return p
}

func (s *scanner) data() []byte { return s.next(int(s.uint32())) }

func (s *scanner) uint16() uint16 { return binary.BigEndian.Uint16(s.fixed(2)) }
func (s *scanner) uint32() uint32 { return binary.BigEndian.Uint32(s.fixed(4)) }

// fixed is like next, but returns zeros if fewer than n bytes are left.
func (s *scanner) fixed(n int) []byte {
	if b := s.next(n); len(b) == n {
		return b
	}
	return make([]byte, n)
}

func (s *scanner) next(n int) []byte {
	if n < 0 || n > len(s.b) {
		s.b, s.err = nil, errCache
		return nil
	}
	b := s.b[:n]
	s.b = s.b[n:]
	return b
}

// find returns an entry of the owner for a service that is valid beyond a time and has a usable key. The error
// says why the last candidate was not usable.
func (c *cache) find(service principal, after time.Time) (*cached, error) {
	err := errors.New("it has no ticket for " + service.String())
	for i := range c.entries {
		e := &c.entries[i]
		if !service.is(e.server) || !c.owner.is(e.client) {
			continue
		}
		if !e.end.After(after) {
			err = fmt.Errorf("its ticket for %s expired at %s", service, e.end.Format(time.RFC3339))
			continue
		}
		if err = check(e.key); err == nil {
			return e, nil
		}
	}
	return nil, err
}
