package seccomp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"syscall"
)

// Lengths, in bytes, of struct sockaddr_in and sockaddr_in6, and of the longest sockaddr.
const (
	sizeSockaddr4 = 16
	sizeSockaddr6 = 28
	minSockaddr6  = 24 // without the scope, as the kernel accepts it
	maxSockaddr   = 128
)

// parseSockaddr returns the address of a struct sockaddr_in or sockaddr_in6. Its error is the errno of a connect.
func parseSockaddr(b []byte) (netip.AddrPort, error) {
	if len(b) < 2 {
		return netip.AddrPort{}, syscall.EINVAL
	}
	switch familyOf(b) {
	case syscall.AF_INET:
		if len(b) < sizeSockaddr4 {
			return netip.AddrPort{}, syscall.EINVAL
		}
		ip, _ := netip.AddrFromSlice(b[4:8])
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:])), nil
	case syscall.AF_INET6:
		if len(b) < minSockaddr6 {
			return netip.AddrPort{}, syscall.EINVAL
		}
		ip, _ := netip.AddrFromSlice(b[8:24])
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:])), nil
	}
	return netip.AddrPort{}, syscall.EAFNOSUPPORT
}

// familyOf returns the address family of a sockaddr, which is at least two bytes long.
func familyOf(b []byte) uint16 { return binary.NativeEndian.Uint16(b) }

// appendSockaddr appends a struct sockaddr_in, or a sockaddr_in6 if a is an IPv6 address, including an IPv4-mapped
// one.
func appendSockaddr(b []byte, a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		b = binary.NativeEndian.AppendUint16(b, syscall.AF_INET)
		b = binary.BigEndian.AppendUint16(b, a.Port())
		b = append(b, a.Addr().AsSlice()...)
		return append(b, make([]byte, 8)...)
	}
	b = binary.NativeEndian.AppendUint16(b, syscall.AF_INET6)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	b = append(b, 0, 0, 0, 0) // flow
	b = append(b, a.Addr().AsSlice()...)
	return append(b, 0, 0, 0, 0) // scope
}

// unixPath returns the path of a struct sockaddr_un, or "".
func unixPath(b []byte) string {
	if len(b) < 3 || familyOf(b) != syscall.AF_UNIX || b[2] == 0 {
		return ""
	}
	path, _, _ := strings.Cut(string(b[2:]), "\x00")
	return path
}

// inFamily returns a for a socket: if that is IPv6, an IPv4 address becomes IPv4-mapped.
func inFamily(a netip.AddrPort, v6 bool) netip.AddrPort {
	ip := a.Addr().Unmap()
	if v6 && ip.Is4() {
		ip = netip.AddrFrom16(ip.As16())
	}
	return netip.AddrPortFrom(ip, a.Port())
}
