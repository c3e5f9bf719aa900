package testgw

import (
	"context"
	"net"
	"net/netip"

	"github.com/sockslib/sockslib/internal/wire"
)

// route is one destination of an association with its addresses.
type route struct {
	to    Target
	addrs []netip.AddrPort // in the order to try; empty: not resolved yet
	name  net.Addr         // for the next gateway to resolve; nil: addrs are used
}

// hostPort is the net.Addr of a name and port.
type hostPort string

func (h hostPort) Network() string { return "udp" }
func (h hostPort) String() string  { return string(h) }

// route returns the route of a datagram from the client, and the datagram's payload. It makes the route if there is
// none. The route is nil for a datagram to drop: a malformed one, a fragment (RFC 1928, section 7: the gateway does
// not reassemble), or with Quirks.OneDestination one for a second destination.
func (a *association) route(datagram []byte) (*route, []byte) {
	d, err := wire.ParseDatagram(datagram)
	if err != nil || d.Frag != 0 {
		return nil, nil
	}
	key := datagram[3 : len(datagram)-len(d.Payload)] // ATYP, ADDR and PORT
	if r, ok := a.routes[string(key)]; ok {
		return r, d.Payload
	}
	if a.s.g.Quirks.OneDestination && len(a.routes) > 0 {
		return nil, nil
	}
	r := &route{to: newTarget(wire.Addr{Name: string(d.Name), IP: d.IP, Port: d.Port})}
	r.to.ATYP = key[0]
	a.routes[string(key)] = r
	a.s.g.recordDatagram(Datagram{Conn: a.s.request.Conn, Target: r.to})
	if _, own := a.s.g.known(r.to.Name); a.behind != nil && !own && r.to.Name != "" {
		r.name = hostPort(r.to.String())
	}
	return r, d.Payload
}

// send sends payload to the first address of r for which sending does not fail. If all fail, the datagram is lost.
func (a *association) send(ctx context.Context, r *route, payload []byte) {
	if r.name != nil {
		_, _ = a.behind.WriteTo(payload, r.name)
		return
	}
	a.resolve(ctx, r)
	for i, to := range r.addrs {
		if a.sendTo(to, payload) == nil {
			r.addrs = r.addrs[i:]
			return
		}
	}
}

// resolve looks the addresses of r up, unless it has them.
func (a *association) resolve(ctx context.Context, r *route) {
	if len(r.addrs) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.s.g.timeout())
	defer cancel()
	addrs, err := a.s.g.resolve(ctx, r.to)
	if err != nil {
		return
	}
	for _, ip := range addrs {
		to := netip.AddrPortFrom(ip.Unmap(), r.to.Port)
		r.addrs = append(r.addrs, to)
		if a.s.g.Quirks.AnswerWithName && r.to.Name != "" {
			a.names.Store(to, r.to.Name)
		}
	}
}

func (a *association) sendTo(to netip.AddrPort, payload []byte) error {
	if a.behind != nil {
		_, err := a.behind.WriteTo(payload, net.UDPAddrFromAddrPort(to))
		return err
	}
	out := a.out6
	if to.Addr().Is4() {
		out = a.out4
	}
	if out == nil {
		return net.UnknownNetworkError("udp")
	}
	_, err := out.WriteToUDPAddrPort(payload, to)
	return err
}
