package krb5

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/types"
	"github.com/stretchr/testify/require"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// RFC 3962, appendix B.
func TestCTSMatchesRFC3962(t *testing.T) {
	block, err := aes.NewCipher([]byte("chicken teriyaki"))
	require.NoError(t, err)
	const input = "I would like the General Gau's Chicken, please, and wonton soup."
	for n, output := range map[int]string{
		17: "c6353568f2bf8cb4d8a580362da7ff7f97",
		31: "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5",
		32: "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584",
		47: "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5",
		48: "97687268d6ecccc0c07b25e25ecfe5849dad8bbb96c4cdc03bc103e1a194bbd839312523a78662d5be7fcbcc98ebf5a8",
		64: "97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a84807efe836ee89a526730dbc2f7bc8409dad8bbb96c4cdc03bc103e1a194bbd8",
	} {
		b := []byte(input[:n])
		encryptCTS(block, b)
		require.Equal(t, output, hex.EncodeToString(b), n)
		decryptCTS(block, b)
		require.Equal(t, input[:n], string(b))
	}
}

// RFC 8009, appendix A, key usage 2.
func TestOpenMatchesRFC8009(t *testing.T) {
	const plain = "000102030405060708090a0b0c0d0e0f1011121314"
	for _, v := range []struct {
		etype              int32
		key, plain, cipher string
	}{
		{19, "3705D96080C17728A0E800EAB6E0D23C", "", "EF85FB890BB8472F4DAB20394DCA781DAD877EDA39D50C870C0D5A0A8E48C718"},
		{19, "3705D96080C17728A0E800EAB6E0D23C", plain[:12], "84D7F30754ED987BAB0BF3506BEB09CFB55402CEF7E6877CE99E247E52D16ED4421DFDF8976C"},
		{19, "3705D96080C17728A0E800EAB6E0D23C", plain[:32], "3517D640F50DDC8AD3628722B3569D2AE07493FA8263254080EA65C1008E8FC295FB4852E7D83E1E7C48C37EEBE6B0D3"},
		{19, "3705D96080C17728A0E800EAB6E0D23C", plain, "720F73B18D9859CD6CCB4346115CD336C70F58EDC0C4437C5573544C31C813BCE1E6D072C186B39A413C2F92CA9B8334A287FFCBFC"},
		{20, "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52", "", "41F53FA5BFE7026D91FAF9BE959195A058707273A96A40F0A01960621AC612748B9BBFBE7EB4CE3C"},
		{20, "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52", plain, "40013E2DF58E8751957D2878BCD2D6FE101CCFD556CB1EAE79DB3C3EE86429F2B2A602AC86FEF6ECB647D6295FAE077A1FEB517508D2C16B4192E01F62"},
	} {
		c, err := newCryptor(types.EncryptionKey{KeyType: v.etype, KeyValue: unhex(t, v.key)}, 2)
		require.NoError(t, err)
		got, err := c.open(unhex(t, v.cipher))
		require.NoError(t, err)
		require.Equal(t, v.plain, hex.EncodeToString(got))
	}
}

func testKey(_ testing.TB, etype int32) types.EncryptionKey {
	key := types.EncryptionKey{KeyType: etype}
	key.KeyValue = bytes.Repeat([]byte{byte(etype)}, profiles[etype].keyLen)
	return key
}

var etypes = []int32{17, 18, 19, 20}

// The Kerberos library decrypts this package's ciphertexts, and the reverse, and makes the same checksums.
func TestCryptorAgreesWithTheLibrary(t *testing.T) {
	const usage = 24
	for _, etype := range etypes {
		key := testKey(t, etype)
		c, err := newCryptor(key, usage)
		require.NoError(t, err)
		lib, err := crypto.GetEtype(etype)
		require.NoError(t, err)
		for n := range 100 {
			plain := bytes.Repeat([]byte{'x'}, n)
			sealed := c.seal(nil, plain[:n/2], plain[n/2:])
			got, err := lib.DecryptMessage(key.KeyValue, bytes.Clone(sealed), usage)
			require.NoError(t, err)
			require.Equal(t, plain, got)
			got, err = c.open(sealed)
			require.NoError(t, err)
			require.Equal(t, plain, got)
			_, sealed, err = lib.EncryptMessage(key.KeyValue, plain, usage)
			require.NoError(t, err)
			got, err = c.open(sealed)
			require.NoError(t, err)
			require.Equal(t, plain, got)

			sum, err := lib.GetChecksumHash(key.KeyValue, plain, usage)
			require.NoError(t, err)
			require.Equal(t, sum, c.sign(nil, plain[:n/3], plain[n/3:]))
			require.True(t, c.verify(sum, plain))
			require.False(t, c.verify(sum, plain, []byte{0}))
		}
	}
}

func TestKeysThatCannotBeUsedAreRefused(t *testing.T) {
	for _, key := range []types.EncryptionKey{
		{KeyType: 23, KeyValue: make([]byte, 16)}, // RC4
		{KeyType: 16, KeyValue: make([]byte, 24)}, // triple DES
		{KeyType: 18, KeyValue: make([]byte, 16)},
		{KeyType: 20, KeyValue: make([]byte, 24)},
		{},
	} {
		_, err := newCryptor(key, 24)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "\x00")
	}
	_, err := newCryptor(types.EncryptionKey{KeyType: 23, KeyValue: make([]byte, 16)}, 24)
	require.ErrorContains(t, err, "AES")
}
