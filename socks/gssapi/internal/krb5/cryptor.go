package krb5

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"hash"

	"github.com/go-krb5/krb5/types"
)

// cryptor encrypts and signs with the keys that are derived for one usage. It is not safe for concurrent use.
type cryptor struct {
	profile
	block     cipher.Block
	integrity hash.Hash // HMAC of encrypted tokens
	checksum  hash.Hash // HMAC of signed tokens
	sum       []byte
}

var errIntegrity = errors.New("the checksum is wrong")

func newCryptor(key types.EncryptionKey, usage uint32) (*cryptor, error) {
	if err := check(key); err != nil {
		return nil, err
	}
	c := &cryptor{profile: profiles[key.KeyType]}
	derived := make(map[byte][]byte)
	for _, purpose := range []byte{forEncryption, forIntegrity, forChecksum} {
		k, err := derive(key, usage, purpose)
		if err != nil {
			return nil, err
		}
		derived[purpose] = k
	}
	c.integrity = hmac.New(c.hash, derived[forIntegrity])
	c.checksum = hmac.New(c.hash, derived[forChecksum])
	var err error
	c.block, err = aes.NewCipher(derived[forEncryption])
	return c, err
}

// confounder is the random block that is encrypted first.
const confounder = aes.BlockSize

// seal appends the concatenated parts to dst, encrypted, with a confounder and an HMAC.
func (c *cryptor) seal(dst []byte, parts ...[]byte) []byte {
	start := len(dst)
	dst = append(dst, zeros[:]...)
	_, _ = rand.Read(dst[start:]) // never fails
	for _, p := range parts {
		dst = append(dst, p...)
	}
	body := dst[start:]
	var mac []byte
	if c.etm {
		encryptCTS(c.block, body)
		mac = c.mac(c.integrity, zeros[:], body)
	} else {
		mac = c.mac(c.integrity, body)
		encryptCTS(c.block, body)
	}
	return append(dst, mac...)
}

// open decrypts b in place and returns the parts that seal encrypted.
func (c *cryptor) open(b []byte) ([]byte, error) {
	if len(b) < confounder+c.macLen {
		return nil, errors.New("the ciphertext is too short")
	}
	body, mac := b[:len(b)-c.macLen], b[len(b)-c.macLen:]
	if c.etm && !hmac.Equal(mac, c.mac(c.integrity, zeros[:], body)) {
		return nil, errIntegrity
	}
	decryptCTS(c.block, body)
	if !c.etm && !hmac.Equal(mac, c.mac(c.integrity, body)) {
		return nil, errIntegrity
	}
	return body[confounder:], nil
}

// sign appends the checksum of the parts to dst.
func (c *cryptor) sign(dst []byte, parts ...[]byte) []byte {
	return append(dst, c.mac(c.checksum, parts...)...)
}

// verify reports whether sum is the checksum of the parts.
func (c *cryptor) verify(sum []byte, parts ...[]byte) bool {
	return hmac.Equal(sum, c.mac(c.checksum, parts...))
}

// mac returns the truncated HMAC of the parts. The result is valid until the next call.
func (c *cryptor) mac(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	c.sum = h.Sum(c.sum[:0])
	return c.sum[:c.macLen]
}

// zeros is the initial cipher state, RFC 3962, section 6.
var zeros [aes.BlockSize]byte

// encryptCTS encrypts b, which has at least one block, in place: CBC with ciphertext stealing, in which the last
// two blocks are always swapped (RFC 3962, section 5).
func encryptCTS(block cipher.Block, b []byte) {
	if len(b) == aes.BlockSize {
		block.Encrypt(b, b)
		return
	}
	full := lastBlock(b)
	cbc := cipher.NewCBCEncrypter(block, zeros[:])
	cbc.CryptBlocks(b[:full], b[:full])
	var last [aes.BlockSize]byte
	copy(last[:], b[full:])
	cbc.CryptBlocks(last[:], last[:])
	stolen := b[full-aes.BlockSize : full]
	copy(b[full:], stolen)
	copy(stolen, last[:])
}

// decryptCTS undoes encryptCTS.
func decryptCTS(block cipher.Block, b []byte) {
	if len(b) == aes.BlockSize {
		block.Decrypt(b, b)
		return
	}
	full := lastBlock(b)
	stolen := b[full-aes.BlockSize : full]
	var last, before [aes.BlockSize]byte
	block.Decrypt(last[:], stolen)
	n := copy(before[:], b[full:])
	copy(before[n:], last[n:]) // the padding was zeros, so these are the ciphertext bytes that it was XORed with
	for i := range n {
		last[i] ^= before[i]
	}
	copy(stolen, before[:])
	cipher.NewCBCDecrypter(block, zeros[:]).CryptBlocks(b[:full], b[:full])
	copy(b[full:], last[:n])
}

// lastBlock returns the offset of the last block of b, which may be incomplete.
func lastBlock(b []byte) int { return (len(b) - 1) / aes.BlockSize * aes.BlockSize }
