// Package gssapi authenticates to a SOCKS5 gateway by Kerberos 5, and protects everything that follows: it
// is method 1 of RFC 1928, GSS-API, as RFC 1961 describes it. An [Auth] goes into the Auth of a
// [socks.Client].
//
// It is a module of its own, so that programs without Kerberos do not link a Kerberos library. No C library
// and no running Kerberos of the system is needed; a krb5.conf is, and a credential cache, a keytab or a
// password. See docs/KERBEROS.md in the repository.
//
// # What is protected
//
// With [Confidentiality], the default, the request with its name, the stream and the datagrams of UDP
// ASSOCIATE can be neither read nor changed between the program and the gateway. With [Integrity] they can be
// read, but not changed. With [None] the user is authenticated, and so is the gateway, but what follows is as without this
// package. The gateway itself sees everything, and so does the network behind it: TLS by the application
// protects from both.
//
// RFC 1961 has no mark for the end of a stream. One that is cut within a message is an
// io.ErrUnexpectedEOF; one that is cut between two messages looks as if it had ended there. Applications
// for which that matters have lengths of their own, as TLS and HTTP have.
//
// Datagrams may be lost and overtake each other, as UDP has it. One that is repeated, forged or changed is
// dropped, and counted as [socks.PacketStats].Malformed.
//
// # What differs from RFC 1961
//
// Delegation is never asked for, although section 3.2 wants it: it would give the gateway the user's
// ticket-granting ticket, with which it can be the user anywhere. Replay and sequence protection are asked
// for always. Encryption types other than AES (17 to 20) are an error.
//
// # Cost
//
// A dial takes four round trips instead of one or two; with [socks.Client].Spare, one. The first also asks
// the KDC. A message carries up to 16 KiB and 32 bytes more with Integrity, 64 with Confidentiality; a
// datagram to an IPv4 address, over IPv4, at most 65433 bytes. io.Copy cannot splice what is protected.
//
// # Limits of the Kerberos library
//
// The directives include and includedir of krb5.conf are ignored, silently: a configuration that has its
// realms in /etc/krb5.conf.d, as Red Hat's, needs one file that has it all; name it by [Auth].Config. An
// exchange with a KDC does not end with the dial's context, though the dial does: it ends by itself, 5 seconds
// for each KDC and step at most. KDCs are found by krb5.conf, or by DNS if it says dns_lookup_kdc = true. The
// latter asks net.DefaultResolver: a program that has replaced that by one behind the gateway has to name
// its KDCs.
package gssapi
