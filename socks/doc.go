// Package socks is a SOCKS5 client in the style of package net: CONNECT, BIND and UDP ASSOCIATE (RFC 1928),
// username and password authentication (RFC 1929), and Tor's RESOLVE.
//
// A [Client] represents one gateway. [Client.DialContext] has the signature of [net.Dialer]'s, [Client.Listen]
// returns a net.Listener, and [Client.ListenPacket] returns a net.PacketConn. Host names are sent to the gateway,
// which resolves them; only the gateway's own address is resolved locally. Nothing bypasses the gateway: if it
// cannot be used, the request fails.
//
// A [Group] uses several gateways as one. A Client with a Forward reaches its gateway through another one, as a
// chain. A [Trace] has hooks for the steps of a request, and [Client.Stats] returns counters.
//
// A stream is the TCP connection to the gateway itself, so half-close, deadlines, splice and sendfile work as for a
// *net.TCPConn. SOCKS itself does not encrypt: the gateway, and anyone on the network between, can read unencrypted
// data of the application (RFC 1928, section 9). Client.TLS protects the connection to the gateway. TLS that the
// application runs over the stream protects the whole path.
package socks
