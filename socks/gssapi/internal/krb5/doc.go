// Package krb5 is what RFC 1961 needs of Kerberos 5 as a GSS-API mechanism: service tickets from a
// credential cache, a keytab or a password, the establishment of a context by its initiator (RFC 4121,
// section 4.1), and the tokens that protect messages (section 4.2.6.2). It is the one package that knows
// the Kerberos library, which does the exchange with the KDC, ASN.1 and the derivation of keys; what
// messages are sealed with is crypto/aes and crypto/hmac.
package krb5
