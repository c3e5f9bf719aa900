package mapping

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/sockslib/sockslib/internal/names"
)

// key returns the canonical form of a name that is looked up in one family. The error is an ErrBadName.
func (t *Table) key(v6 bool, name string) (string, error) {
	key, addr, err := t.canonical(name)
	if err == nil && addr.IsValid() && addr.Is6() == v6 {
		err = errors.New("is an address of that family already")
	}
	if err != nil {
		return "", fmt.Errorf("%w %q: %w", ErrBadName, name, err)
	}
	return key, nil
}

// canonical returns the canonical form of a host name or of an address, and the address if it is one. It does not
// allocate if name is canonical already. The error is the reason alone.
func (t *Table) canonical(name string) (string, netip.Addr, error) {
	host, err := names.Parse(name)
	if err != nil {
		return "", netip.Addr{}, err
	}
	switch addr := host.Addr(); {
	case host.IsName():
	case addr.Zone() != "":
		err = errors.New("address with a zone")
	case !isRemoteUnicast(addr):
		err = errors.New("address of this host, of its links, or of many hosts")
	case t.space.contains(addr):
		err = errors.New("reserved address, which stands for a name itself")
	}
	if err != nil {
		return "", netip.Addr{}, err
	}
	return host.String(), host.Addr(), nil
}

// isRemoteUnicast reports whether an address identifies one host, and the same host from the gateway as from this
// machine. A gateway that is asked for another address connects to itself, to a host on its own links, or to many hosts.
func isRemoteUnicast(addr netip.Addr) bool {
	return !addr.IsUnspecified() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() && !addr.IsMulticast() && addr != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// maybeAddr reports whether name may be an address; a name in canonical form never is.
func maybeAddr(name string) bool { return names.MaybeAddr(name) }
