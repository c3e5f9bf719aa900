package krb5

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/types"
)

// profile holds the parameters in which the encryption types differ.
type profile struct {
	keyLen int // length of an encryption key, in bytes
	macLen int // length of a truncated HMAC, in bytes
	hash   func() hash.Hash
	etm    bool // the HMAC is of the ciphertext, RFC 8009, section 5; otherwise of the plaintext, RFC 3961, section 5.3
}

// profiles are the AES encryption types. The older ones, with DES and RC4, are obsolete and have other tokens.
var profiles = map[int32]profile{
	etypeID.AES128_CTS_HMAC_SHA1_96:    {16, 12, sha1.New, false}, // RFC 3962
	etypeID.AES256_CTS_HMAC_SHA1_96:    {32, 12, sha1.New, false},
	etypeID.AES128_CTS_HMAC_SHA256_128: {16, 16, sha256.New, true}, // RFC 8009
	etypeID.AES256_CTS_HMAC_SHA384_192: {32, 24, sha512.New384, true},
}

// supported reports whether tokens can be made with a key of this encryption type.
func supported(etype int32) bool {
	_, ok := profiles[etype]
	return ok
}

// check returns an error if a key cannot be used.
func check(key types.EncryptionKey) error {
	p, ok := profiles[key.KeyType]
	switch {
	case !ok:
		return fmt.Errorf("the key is for encryption type %d; AES (17 to 20) is needed, RFC 3962 or 8009", key.KeyType)
	case len(key.KeyValue) != p.keyLen:
		return fmt.Errorf("a key of encryption type %d has %d bytes, not %d", key.KeyType, len(key.KeyValue), p.keyLen)
	}
	return nil
}

// The purposes of derived keys (RFC 3961, section 5.3).
const (
	forEncryption = 0xAA
	forIntegrity  = 0x55
	forChecksum   = 0x99
)

// derive derives the key for a usage.
func derive(key types.EncryptionKey, usage uint32, purpose byte) ([]byte, error) {
	etype, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	return etype.DeriveKey(key.KeyValue, append(binary.BigEndian.AppendUint32(nil, usage), purpose))
}
