package socks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/sockslib/sockslib/internal/names"
	"github.com/sockslib/sockslib/internal/netconn"
	"github.com/sockslib/sockslib/internal/wire"
)

// Addr is a SOCKS address: an IP address or a host name, and a port. *Addr is a [net.Addr]. Name
// is used if IP is not valid. The zero Addr is no address.
type Addr struct {
	Net  string     // "tcp" or "udp"
	Name string     // host name, used if IP is not valid
	IP   netip.Addr // the zero IP: there is only a name
	Port uint16     // in host byte order
}

// ParseAddr parses address, "host:port" as in [net.Dial], without a DNS query. The network is "tcp", "tcp4",
// "tcp6", "udp", "udp4" or "udp6"; the digit is ignored, because the gateway chooses the family. An IP literal
// becomes IP; any other host becomes Name, in its canonical form. The port is a number or the name of a service.
// The error is a *[net.AddrError] if the host cannot be sent: if it is empty, has a zone or is not a valid name.
func ParseAddr(network, address string) (*Addr, error) {
	a, err := parseAddr(network, address)
	if err != nil {
		return nil, err
	}
	return &a, nil
}

func parseAddr(network, address string) (Addr, error) {
	proto, err := protocolOf(network)
	if err != nil {
		return Addr{}, err
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		if e, ok := err.(*net.AddrError); ok {
			e.Addr = netconn.UnparsedAddr{Net: proto, Text: e.Addr}.String() // quoted if it could corrupt a log
		}
		return Addr{}, err
	}
	a := Addr{Net: proto}
	if a.Port, err = parsePort(proto, service); err != nil {
		return Addr{}, err
	}
	h, err := names.Parse(host)
	switch {
	case err != nil:
		return Addr{}, &net.AddrError{Err: err.Error(), Addr: strconv.Quote(address)}
	case h.Addr().Zone() != "":
		return Addr{}, &net.AddrError{Err: "a zone means nothing to a gateway", Addr: address}
	case h.IsName():
		a.Name = h.String()
	default:
		a.IP = h.Addr()
	}
	return a, nil
}

// protocolOf returns "tcp" or "udp", the protocol of a network.
func protocolOf(network string) (string, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return "tcp", nil
	case "udp", "udp4", "udp6":
		return "udp", nil
	}
	return "", net.UnknownNetworkError(network)
}

// parsePort parses a port number or, as package net does, the name of a service. It makes no DNS query.
func parsePort(proto, service string) (uint16, error) {
	number, err := strconv.ParseUint(service, 10, 16)
	switch {
	case err == nil:
		return uint16(number), nil
	case errors.Is(err, strconv.ErrRange): // LookupPort wraps some of these around: it takes 2^32+80 for 80
		return 0, &net.AddrError{Err: "invalid port", Addr: service}
	case service == "":
		return 0, &net.AddrError{Err: "missing port in address", Addr: service}
	}
	port, err := net.LookupPort(proto, service)
	if err != nil {
		return 0, err
	}
	return uint16(port), nil // LookupPort returns an error for a port outside 0 to 65535
}

// Network returns "tcp" or "udp".
func (a *Addr) Network() string { return a.Net }

// String returns "host:port", with brackets around an IPv6 address, or "<nil>" if a is nil.
func (a *Addr) String() string {
	if a == nil {
		return "<nil>"
	}
	host := a.Name
	if a.IP.IsValid() {
		host = a.IP.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(a.Port)))
}

// pointer returns a pointer to a copy of a. Only the code path that calls it pays for the allocation.
func (a Addr) pointer() *Addr { return &a }

// wire returns a as an address of a message.
func (a *Addr) wire() wire.Addr { return wire.Addr{Name: a.Name, IP: a.IP, Port: a.Port} }

// addrFrom returns the Addr of an address in a message.
func addrFrom(proto string, w wire.Addr) Addr {
	return Addr{Net: proto, Name: w.Name, IP: w.IP, Port: w.Port}
}

// printable reports whether name, which a gateway sent, consists of graphic ASCII characters only. Such a name can
// be shown, and sent to a peer in a line of a protocol such as FTP's PORT.
func printable[S string | []byte](name S) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return true
}

// netAddr returns a *net.TCPAddr or *net.UDPAddr, which users of package net expect, if a has an IP, and a otherwise.
func (a *Addr) netAddr() net.Addr {
	if !a.IP.IsValid() {
		return a
	}
	ap := netip.AddrPortFrom(a.IP, a.Port)
	if a.Net == "udp" {
		return net.UDPAddrFromAddrPort(ap)
	}
	return net.TCPAddrFromAddrPort(ap)
}

// fromNet converts an address of any type, for example WriteTo's argument.
func fromNet(addr net.Addr) (Addr, error) {
	switch a := addr.(type) {
	case *net.UDPAddr:
		if a != nil {
			return fromUDPAddr(a)
		}
	case *Addr:
		if a != nil {
			return a.canonical()
		}
	case nil:
	default:
		return parseAddr("udp", addr.String())
	}
	return Addr{}, &net.AddrError{Err: "missing address", Addr: fmt.Sprint(addr)}
}

func fromUDPAddr(a *net.UDPAddr) (Addr, error) {
	ip, _ := netip.AddrFromSlice(a.IP)
	if !ip.IsValid() || a.Zone != "" || uint(a.Port) > 65535 {
		return Addr{}, &net.AddrError{Err: "cannot be sent to a gateway", Addr: a.String()}
	}
	return Addr{Net: "udp", IP: ip.Unmap(), Port: uint16(a.Port)}, nil
}

// canonical returns a with its name in canonical form. A name that cannot be sent is an error.
func (a *Addr) canonical() (Addr, error) {
	if a.IP.IsValid() {
		return *a, nil
	}
	name, err := names.Canonical(a.Name)
	if err != nil {
		return Addr{}, &net.AddrError{Err: err.Error(), Addr: strconv.Quote(a.Name)}
	}
	return Addr{Net: a.Net, Name: name, Port: a.Port}, nil
}
