// Package socks is a SOCKS5 client: CONNECT, BIND and UDP ASSOCIATE (RFC 1928), username and password
// (RFC 1929), and Tor's RESOLVE, as package net would have it.
//
// A [Client] stands for one gateway. Its DialContext is what [net.Dialer]'s is, Listen gives a
// net.Listener, and ListenPacket a net.PacketConn. A name goes to the gateway as it is; nothing is
// resolved here but the gateway's own address. Nothing ever goes past the gateway: where it cannot be
// used, there is an error.
//
// A [Group] is several gateways as one, and a Client with a Forward one behind another. What happens can be
// seen while it does, by a [Trace], and counted, by [Client.Stats].
//
// The stream is the gateway's TCP connection itself, so half-close, deadlines, splice and sendfile are
// those of a *net.TCPConn. SOCKS gives no privacy of its own: the gateway, and whoever sees the network to
// it, can read what the application does not encrypt (RFC 1928, section 9). Client.TLS protects the way to
// the gateway, TLS by the application over the connection protects all of it.
package socks
