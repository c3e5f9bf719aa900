// Package dialer is the connecting half of RFC 3089's SOCKS Lib: [net.Dialer]'s methods for a program
// behind a SOCKS5 gateway.
//
// Most programs dial by name. They need only this:
//
//	d, err := dialer.FromURL("socks5://gateway.example:1080")
//	…
//	client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
//
// A program that looks names up itself gets their addresses from a resolver.Resolver with the same table, d.Table. A
// program that needs a *net.UDPAddr, for instance for quic-go, gets it from [Dialer.ResolveUDPAddr].
//
// A [Dialer] takes a name, a fake address that the mapping table gave for a name, or a real address. It replaces a
// fake address by its name (RFC 3089, section 3) and sends that to the gateway, which resolves the name in either
// family. So code that must resolve names before it dials still works, an IPv4-only program reaches IPv6-only
// servers and vice versa, and the local DNS sees no name.
//
// A Dialer fails closed: without a gateway, a table or a mapping it returns an error. It connects directly only if
// [Dialer].Direct says so.
package dialer
