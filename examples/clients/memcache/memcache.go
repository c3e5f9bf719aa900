// The hooks: DialContext of memcache.Client, and a ServerSelector of your own, because memcache.New and
// ServerList.SetServers look the names up locally.

// Package memcache reaches memcached servers behind a gateway.
package memcache

import (
	"hash/fnv"
	"net"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/sockslib/sockslib/dialer"
)

// NewClient returns a client of servers, each "host:port" with a name that the gateway knows.
func NewClient(d *dialer.Dialer, servers ...string) *memcache.Client {
	client := memcache.NewFromSelector(selector(servers))
	client.DialContext = d.DialContext
	return client
}

// selector chooses the server of a key, and does not look its name up.
type selector []string

func (s selector) PickServer(key string) (net.Addr, error) {
	if len(s) == 0 {
		return nil, memcache.ErrNoServers
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return address(s[h.Sum32()%uint32(len(s))]), nil
}

func (s selector) Each(f func(net.Addr) error) error {
	for _, server := range s {
		if err := f(address(server)); err != nil {
			return err
		}
	}
	return nil
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
