// Package gssapi authenticates to a SOCKS5 gateway with Kerberos 5, and protects the data that follows: it
// implements method 1 of RFC 1928, GSS-API (RFC 1961). Add an [Auth] to the Auth field of a [socks.Client].
//
// It is a separate module, so that programs without Kerberos do not link a Kerberos library. It needs no C library
// and no Kerberos installation, but a krb5.conf, and a credential cache, a keytab or a password. See
// docs/KERBEROS.md in the repository.
//
// # What is protected
//
// With [Confidentiality], the default, the request and its name, the stream, and the datagrams of UDP ASSOCIATE
// can be neither read nor changed between the program and the gateway. With [Integrity] they can be read, but not
// changed. With [None] the user and the gateway are authenticated, but the data is not protected. The gateway
// itself sees everything, and so does the network behind it; only TLS by the application protects from both.
//
// RFC 1961 has no mark for the end of a stream. A stream that is cut within a message gives io.ErrUnexpectedEOF;
// one that is cut between two messages looks like one that ended there. An application that has to notice this
// needs a protocol with lengths or an end, such as TLS or HTTP.
//
// Datagrams may be lost and reordered, as usual in UDP. A datagram that is repeated, forged or changed is dropped
// and counted in [socks.PacketStats].Malformed.
//
// # What differs from RFC 1961
//
// Delegation is never requested, although section 3.2 asks for it: it would give the gateway the user's
// ticket-granting ticket, with which the gateway can act as the user anywhere. Replay and sequence protection are
// always requested. Encryption types other than AES (17 to 20) are an error.
//
// # Cost
//
// A dial takes four round trips instead of one or two; with [socks.Client].Spare, one. The first dial also asks
// the KDC. A message carries at most 16 KiB, and has an overhead of about 32 bytes with Integrity and 64 with
// Confidentiality. A datagram to an IPv4 address, over IPv4, carries at most 65433 bytes. io.Copy cannot splice
// protected data.
//
// # Limits of the Kerberos library
//
// The directives include and includedir of krb5.conf are silently ignored: a configuration with its realms in
// /etc/krb5.conf.d, as on Red Hat's systems, needs one file with everything, whose path is [Auth].Config. A dial
// ends with its context, but an exchange with a KDC that it has started does not: the exchange ends by itself,
// after at most 5 seconds per KDC and step. KDCs are found in krb5.conf, or by DNS if it has dns_lookup_kdc =
// true. DNS lookups use net.DefaultResolver: a program that has replaced it by a resolver behind the gateway must
// name its KDCs in krb5.conf.
package gssapi
