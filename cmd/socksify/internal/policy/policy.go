// Package policy decides how to reach a destination of the program, dials it, and chooses the program's error if
// that fails. The namespace and the seccomp way share it.
package policy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/mapping"
	"github.com/sockslib/sockslib/socks"
)

// Policy decides about the destinations of a run. It is safe for concurrent use; do not change it after first use.
type Policy struct {
	Dialer  *dialer.Dialer
	Own     []netip.Addr  // socksify's own addresses, which are refused as destinations
	Timeout time.Duration // of a dial; zero: the gateway's own bound
	Log     *Log          // nil: no log
}

// Destination is a destination of the program, with the decision about it.
type Destination struct {
	Addr   netip.AddrPort // as the program gave it
	Name   string         // the name that Addr stands for; empty: Addr is a real address
	Direct bool           // it is dialed without the gateway
	Refuse error          // why it must not be dialed; nil: it may be dialed
}

// String returns name:port, or the address and port if there is no name.
func (d Destination) String() string {
	if d.Name != "" {
		return (&socks.Addr{Name: d.Name, Port: d.Addr.Port()}).String()
	}
	return d.Addr.String()
}

// ErrRefused is the error for destinations that no gateway could reach: loopback, multicast, broadcast, link-local
// and unspecified addresses, and socksify's own. It matches syscall.ENETUNREACH.
var ErrRefused error = refused{}

type refused struct{}

func (refused) Error() string        { return "not a destination for a gateway" }
func (refused) Is(target error) bool { return target == syscall.ENETUNREACH }

// Destination returns the decision about an address that the program connects or sends to. The network is "tcp" or
// "udp".
func (p *Policy) Destination(network string, addr netip.AddrPort) Destination {
	ip := addr.Addr().Unmap()
	d := Destination{Addr: netip.AddrPortFrom(ip, addr.Port())}
	switch {
	case p.unreachable(ip):
		d.Refuse = ErrRefused
		return d
	case p.Dialer.Table.Contains(ip):
		name, ok := p.Dialer.Table.Name(ip)
		if !ok {
			d.Refuse = mapping.ErrStale
			return d
		}
		d.Name = name
	}
	d.Direct = p.Dialer.Direct != nil && p.Dialer.Direct(network, d.String())
	return d
}

// unreachable reports whether no gateway could reach ip.
func (p *Policy) unreachable(ip netip.Addr) bool {
	for _, own := range p.Own {
		if own == ip {
			return true
		}
	}
	return !ip.IsValid() || ip.Zone() != "" || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() ||
		ip.IsLinkLocalUnicast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Dial connects to d, through the gateway unless d is Direct. It returns d.Refuse if that is set.
func (p *Policy) Dial(ctx context.Context, network string, d Destination) (net.Conn, error) {
	if d.Refuse != nil {
		return nil, d.Refuse
	}
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Timeout)
		defer cancel()
	}
	return p.Dialer.DialContext(ctx, network, d.Addr.String())
}

// Errno returns the system's error for a failed dial, never zero. It is ECONNREFUSED if the gateway cannot be
// used, and for every error without a better match.
func Errno(err error) syscall.Errno {
	if errors.Is(err, mapping.ErrStale) {
		return syscall.EHOSTUNREACH
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return syscall.ETIMEDOUT
	}
	if errors.Is(err, socks.ErrGateway) { // its cause is about the gateway, not the destination
		return syscall.ECONNREFUSED
	}
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ETIMEDOUT} {
		if errors.Is(err, errno) {
			return errno
		}
	}
	var lookup *net.DNSError // of a direct destination
	if errors.As(err, &lookup) {
		return syscall.EHOSTUNREACH
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return syscall.ETIMEDOUT
	}
	return syscall.ECONNREFUSED
}

// TTLExpired reports whether the gateway replied that the TTL expired (RFC 1928, section 6, REP 6). Unlike a
// timeout, that is an answer, although its Errno is ETIMEDOUT too.
func TTLExpired(err error) bool { return errors.Is(err, socks.ErrTTLExpired) }
