package mapping

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sockslib/sockslib/internal/names"
)

// key returns the canonical form of a name that is looked up in one family, or ErrBadName.
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

// canonical returns the canonical form of a host name or of an address, and for an address also that.
// The form of one that is canonical already costs no allocation.
func (t *Table) canonical(name string) (string, netip.Addr, error) {
	var addr netip.Addr
	if maybeAddr(name) {
		addr, _ = netip.ParseAddr(name) // what is not an address is a host name, or Canonical says why not
	}
	if !addr.IsValid() {
		key, err := names.Canonical(name)
		return key, addr, err
	}
	if addr.Zone() != "" {
		return "", netip.Addr{}, errors.New("address with a zone")
	}
	addr = addr.Unmap()
	if t.space.contains(addr) {
		return "", netip.Addr{}, errors.New("reserved address, which stands for a name itself")
	}
	var buf [len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]byte
	if text := addr.AppendTo(buf[:0]); string(text) != name {
		name = string(text)
	}
	return name, addr, nil
}

// maybeAddr reports whether name may be an address: an IPv6 one has a colon after at most four digits,
// and an IPv4 one ends in a digit and has nothing but digits and dots.
func maybeAddr(name string) bool {
	if strings.IndexByte(name[:min(len(name), 5)], ':') >= 0 {
		return true
	}
	last := len(name) - 1
	return last >= 0 && '0' <= name[last] && name[last] <= '9' && strings.Trim(name, "0123456789.") == ""
}
