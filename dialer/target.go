package dialer

import (
	"net/netip"
	"strings"

	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// target is a destination on its way from what the application gave to what the gateway is sent.
type target struct {
	transport string         // "tcp" or "udp"
	address   string         // "host:port" for the gateway: a name, or an address that is no fake
	remote    netip.AddrPort // what the application sees as the peer: the fake, or the same address
	lease     lease          // pins the fake
}

// lease is a *mapping.Lease or nothing, for a real address.
type lease struct{ *mapping.Lease }

func (l lease) release() {
	if l.Lease != nil {
		l.Release()
	}
}

// name is what the lease stands for, or empty.
func (l lease) name() string {
	if l.Lease == nil {
		return ""
	}
	return l.Name()
}

// target finds what address stands for, steps 4 and 5 of RFC 3089, section 3.
func (d *Dialer) target(network, address string) (target, error) {
	if err := d.check(); err != nil {
		return target{}, err
	}
	a, err := socks.ParseAddr(network, address)
	if err != nil {
		return target{}, err
	}
	return d.lookup(network, a)
}

func (d *Dialer) lookup(network string, a *socks.Addr) (target, error) {
	t := target{transport: a.Net}
	family := family(network)
	var l *mapping.Lease
	var err error
	switch {
	case a.IP.IsValid() && d.Table.Contains(a.IP):
		l, err = d.Table.Acquire(a.IP)
	case a.IP.Is6() && strings.HasSuffix(network, "4"), a.IP.Is4() && strings.HasSuffix(network, "6"):
		l, err = d.Table.AcquireName(family, a.IP.String()) // a literal of the other family is a name, section 3
	case !a.IP.IsValid():
		l, err = d.Table.AcquireName(family, a.Name)
	default:
		t.address, t.remote = a.String(), netip.AddrPortFrom(a.IP, a.Port)
		return t, nil
	}
	if err != nil {
		return target{}, err
	}
	t.lease = lease{l}
	t.remote = netip.AddrPortFrom(l.Addr(), a.Port)
	t.address = (&socks.Addr{Name: l.Name(), Port: a.Port}).String()
	return t, nil
}

// family is that of the fake that a network asks for. Without a digit it is IPv4.
func family(network string) string {
	if strings.HasSuffix(network, "6") {
		return "ip6"
	}
	return "ip4"
}
