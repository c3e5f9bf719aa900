package dialer

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// This file maps what the application dials, a fake address, a name or a real address, to what the gateway is asked for.
// A stale fake, which stands for no name any more, is an error here.

// target is a destination with its two addresses: the one to send to the gateway, and the one that the application
// sees, which is a fake address unless the destination is a real address of the right family.
type target struct {
	to    socks.Addr // for the gateway: a name or a real address
	lease lease      // pins the fake address; empty: the application sees to
}

// lease is a *mapping.Lease, or empty for a real address.
type lease struct{ *mapping.Lease }

func (l lease) release() {
	if l.Lease != nil {
		l.Release()
	}
}

// name returns the name whose fake address is pinned, or "" if the lease is empty.
func (l lease) name() string {
	if l.Lease == nil {
		return ""
	}
	return l.Name()
}

// remote returns the address that the application sees: the fake address if there is one, otherwise to.
func (t target) remote() netip.AddrPort {
	if t.lease.Lease != nil {
		return netip.AddrPortFrom(t.lease.Addr(), t.to.Port)
	}
	return netip.AddrPortFrom(t.to.IP, t.to.Port)
}

// maxText is the length of the longest "host:port": a name has at most 253 bytes.
const maxText = 253 + len(":65535")

// text returns t.to as "host:port". If given is the same text, it returns given and does not allocate.
func (t target) text(given string) string {
	var buf [maxText]byte
	text := buf[:0]
	if t.to.IP.IsValid() {
		text = netip.AddrPortFrom(t.to.IP, t.to.Port).AppendTo(text)
	} else {
		text = append(append(text, t.to.Name...), ':')
		text = strconv.AppendUint(text, uint64(t.to.Port), 10)
	}
	if string(text) == given {
		return given
	}
	return string(text)
}

// parse returns the target for address, "host:port". It fails if the Gateway or the Table is missing.
func (d *Dialer) parse(network, address string) (target, error) {
	if err := d.check(); err != nil {
		return target{}, err
	}
	a, err := socks.ParseAddr(network, address)
	if err != nil {
		return target{}, err
	}
	return d.target(*a)
}

// target returns the target for a. If a is a fake address, the target is its name (RFC 3089, section 3), with the
// fake address pinned. A name gets its fake address later, by pin.
func (d *Dialer) target(a socks.Addr) (target, error) {
	if !a.IP.IsValid() || !d.Table.Contains(a.IP) {
		return target{to: a}, nil
	}
	l, err := d.Table.Acquire(a.IP)
	if err != nil {
		return target{}, err
	}
	host, err := names.Parse(l.Name())
	if err != nil { // cannot be: the table holds what Parse gave
		l.Release()
		return target{}, err
	}
	to := socks.Addr{Net: a.Net, Port: a.Port}
	if host.IsName() {
		to.Name = host.String()
	} else {
		to.IP = host.Addr() // a literal that was looked up in the other family
	}
	return target{to: to, lease: lease{l}}, nil
}

// pin acquires the fake address of t in the family of network, if t needs one and has none.
func (d *Dialer) pin(network string, t *target) error {
	name, ok := t.needsFake(network)
	if !ok {
		return nil
	}
	l, err := d.Table.AcquireName(family(network), name)
	if err != nil {
		return err
	}
	t.lease = lease{l}
	return nil
}

// needsFake returns the name for which t needs a fake address in the family of network: t's name, or the text of a
// literal of the other family (RFC 3089, section 5). It reports false if t needs none: it has a lease, or a real
// address that fits network.
func (t target) needsFake(network string) (name string, ok bool) {
	switch {
	case t.lease.Lease != nil:
	case !t.to.IP.IsValid():
		return t.to.Name, true
	case t.to.IP.Is6() && strings.HasSuffix(network, "4"), t.to.IP.Is4() && strings.HasSuffix(network, "6"):
		return t.to.IP.String(), true
	}
	return "", false
}

// family returns the family of fake addresses for network: "ip6" if it ends in 6, otherwise "ip4".
func family(network string) string {
	if strings.HasSuffix(network, "6") {
		return "ip6"
	}
	return "ip4"
}
