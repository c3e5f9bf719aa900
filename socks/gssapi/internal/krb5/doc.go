// Package krb5 implements the parts of Kerberos 5 as a GSS-API mechanism that RFC 1961 needs: service tickets from
// a credential cache, a keytab or a password, the initiator's establishment of a context (RFC 4121, section 4.1),
// and the tokens that protect messages (section 4.2.6.2). The Kerberos library does the exchange with the KDC,
// ASN.1 and the derivation of keys. Messages are sealed with crypto/aes and crypto/hmac.
package krb5
