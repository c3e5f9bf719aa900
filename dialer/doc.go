// Package dialer is the connecting half of RFC 3089's SOCKS Lib: [net.Dialer]'s methods for a program
// behind a SOCKS5 gateway.
//
// For a program that dials by name, which is most of them, this is all:
//
//	d, err := dialer.FromURL("socks5://gateway.example:1080")
//	…
//	client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
//
// One that looks names up by itself gets its addresses from a resolver.Resolver over the same table, d.Table. One
// that needs a *net.UDPAddr, as quic-go does, gets it from [Dialer.ResolveUDPAddr].
//
// A [Dialer] takes a name, a fake address that the mapping table gave for a name, or a real address. Of a
// fake address it finds the name, and it is the name that the gateway is sent; the gateway resolves it, in
// whichever family it has there. So code that insists on resolving first works, an IPv4-only program
// reaches IPv6-only servers and the reverse, and no name reaches the local DNS.
//
// It fails closed: without a gateway, a table or a mapping there is an error, and never a direct
// connection, unless [Dialer].Direct says so.
package dialer
