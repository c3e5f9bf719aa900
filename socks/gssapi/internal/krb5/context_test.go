package krb5

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// contexts returns the two sides of a context.
func contexts(t testing.TB, etype int32, acceptorSubkey bool) (initiator, acceptor *Context) {
	e := Established{testKey(t, etype), acceptorSubkey, 1000, 1 << 31}
	initiator, err := NewContext(e, false)
	require.NoError(t, err)
	acceptor, err = NewContext(e, true)
	require.NoError(t, err)
	return initiator, acceptor
}

// each runs f for every encryption type, with and without a subkey of the acceptor, sealed and not.
func each(t *testing.T, f func(t *testing.T, in, ac *Context, sealed bool)) {
	for _, etype := range etypes {
		for _, subkey := range []bool{false, true} {
			for _, sealed := range []bool{false, true} {
				t.Run(fmt.Sprint(etype, subkey, sealed), func(t *testing.T) {
					in, ac := contexts(t, etype, subkey)
					f(t, in, ac, sealed)
				})
			}
		}
	}
}

func TestWrappedTokensAreUnwrapped(t *testing.T) {
	each(t, func(t *testing.T, in, ac *Context, sealed bool) {
		for n := range 70 {
			plain := bytes.Repeat([]byte{byte(n)}, n)
			for _, way := range [][2]*Context{{in, ac}, {ac, in}} {
				token := way[0].Wrap([]byte("before"), plain, sealed)
				require.LessOrEqual(t, len(token)-len("before"), n+way[0].Overhead())
				got, err := way[1].UnwrapNext(token[len("before"):], sealed)
				require.NoError(t, err)
				require.Equal(t, plain, got)
			}
		}
	})
}

// A header has the bytes that RFC 4121, section 4.2.6.2, gives.
func TestHeaderHasTheBytesOfRFC4121(t *testing.T) {
	in, ac := contexts(t, 18, false)
	require.Equal(t, "0504 00 ff 000c 0000 00000000000003e8", fields(in.Wrap(nil, []byte("x"), false)))
	require.Equal(t, "0504 02 ff 0000 0000 00000000000003e9", fields(in.Wrap(nil, []byte("x"), true)))
	require.Equal(t, "0504 01 ff 000c 0000 0000000080000000", fields(ac.Wrap(nil, []byte("x"), false)))
	require.Equal(t, "0504 03 ff 0000 0000 0000000080000001", fields(ac.Wrap(nil, []byte("x"), true)))
	in, ac = contexts(t, 20, true)
	require.Equal(t, "0504 04 ff 0018 0000 00000000000003e8", fields(in.Wrap(nil, []byte("x"), false)))
	require.Equal(t, "0504 07 ff 0000 0000 0000000080000000", fields(ac.Wrap(nil, []byte("x"), true)))
	require.Equal(t, 16+1+12, len(first(contexts(t, 17, false)).Wrap(nil, []byte("x"), false)))
	require.Equal(t, 16+16+1+16+12, len(first(contexts(t, 17, false)).Wrap(nil, []byte("x"), true)))
}

func first(c, _ *Context) *Context { return c }

func fields(token []byte) string {
	return fmt.Sprintf("%x %x %x %x %x %x", token[:2], token[2:3], token[3:4], token[4:6], token[6:8], token[8:16])
}

// A token that is truncated, or in which a bit is changed, is not accepted.
func TestEveryTruncationAndBitFlip(t *testing.T) {
	each(t, func(t *testing.T, in, ac *Context, sealed bool) {
		token := in.Wrap(nil, []byte("what is protected, over more than a block"), sealed)
		for n := range token {
			_, err := ac.UnwrapNext(bytes.Clone(token[:n]), sealed)
			require.Error(t, err, "%d bytes of %d", n, len(token))
			for bit := range 8 {
				bent := bytes.Clone(token)
				bent[n] ^= 1 << bit
				_, err := ac.UnwrapNext(bent, sealed)
				if n == 6 || n == 7 { // RRC is not protected, and a rotation by the whole length changes nothing
					if int(binary.BigEndian.Uint16(bent[6:]))%(len(bent)-headerLen) == 0 {
						continue
					}
				}
				require.Error(t, err, "byte %d, bit %d", n, bit)
			}
		}
		_, err := ac.UnwrapNext(append(bytes.Clone(token), 0), sealed)
		require.Error(t, err)
		_, err = ac.UnwrapNext(bytes.Clone(token), !sealed)
		require.Error(t, err, "it is as it was agreed or not at all")
		_, err = in.UnwrapNext(bytes.Clone(token), sealed)
		require.Error(t, err, "one's own")
		got, err := ac.UnwrapNext(token, sealed)
		require.NoError(t, err, "the failures have moved nothing")
		require.Equal(t, "what is protected, over more than a block", string(got))
	})
}

// Rotated tokens, as Active Directory and Heimdal send them, are accepted.
func TestRotatedTokensAreAccepted(t *testing.T) {
	each(t, func(t *testing.T, in, ac *Context, sealed bool) {
		for rrc := range 200 {
			token := ac.Wrap(nil, []byte("rotated"), sealed)
			binary.BigEndian.PutUint16(token[6:], uint16(rrc))
			body := token[headerLen:]
			for range rrc % len(body) {
				last := body[len(body)-1]
				copy(body[1:], body)
				body[0] = last
			}
			got, err := in.UnwrapNext(token, sealed)
			require.NoError(t, err, rrc)
			require.Equal(t, "rotated", string(got))
		}
	})
}

// A filler of EC bytes is encrypted between the plaintext and the header.
func TestFillerIsRemoved(t *testing.T) {
	in, ac := contexts(t, 18, false)
	for filler := range 20 {
		h := header(flagAcceptor|flagSealed, uint16(filler), ac.out.seq)
		token := ac.out.crypt.seal(slices.Clone(h[:]), []byte("text"), make([]byte, filler), h[:])
		ac.out.seq++
		got, err := in.UnwrapNext(token, true)
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
	}
	h := header(flagAcceptor|flagSealed, 5, ac.out.seq)
	_, err := in.UnwrapNext(ac.out.crypt.seal(slices.Clone(h[:]), []byte("text"), h[:]), true)
	require.Error(t, err, "more filler than there is")
}

func TestSequenceNumbersAreChecked(t *testing.T) {
	in, ac := contexts(t, 18, false)
	tokens := [][]byte{in.Wrap(nil, []byte("0"), true), in.Wrap(nil, []byte("1"), true), in.Wrap(nil, []byte("2"), true)}
	next := func(i int) error {
		_, err := ac.UnwrapNext(bytes.Clone(tokens[i]), true)
		return err
	}
	require.EqualValues(t, 1000, ac.Next())
	require.NoError(t, next(0))
	require.ErrorContains(t, next(0), "sequence number", "repeated")
	require.ErrorContains(t, next(2), "sequence number", "left out")
	require.NoError(t, next(1))
	require.EqualValues(t, 1002, ac.Next())
	for _, i := range []int{2, 0, 2} { // Unwrap accepts any order, and returns the number
		_, seq, err := ac.Unwrap(bytes.Clone(tokens[i]), true)
		require.NoError(t, err)
		require.EqualValues(t, 1000+i, seq)
	}
	in.Unwind()
	tokens[2] = in.Wrap(nil, []byte("instead"), true)
	require.NoError(t, next(2))
}

func TestWrapAndUnwrapAllocateLittle(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		in, ac := contexts(t, 18, false)
		plain, token := make([]byte, 1024), make([]byte, 0, 2048)
		got := testing.AllocsPerRun(100, func() {
			token = in.Wrap(token[:0], plain, sealed)
			if _, err := ac.UnwrapNext(token, sealed); err != nil {
				t.Error(err)
			}
		})
		require.LessOrEqual(t, got, 15.0)
	}
}

func FuzzUnwrap(f *testing.F) {
	in, _ := contexts(f, 18, false)
	f.Add(in.Wrap(nil, []byte("sealed"), true), true)
	f.Add(in.Wrap(nil, []byte("signed"), false), false)
	f.Fuzz(func(t *testing.T, token []byte, sealed bool) {
		_, ac := contexts(t, 18, false)
		plain, seq, err := ac.Unwrap(token, sealed)
		if err == nil && (len(plain) > len(token) || seq < 1000) {
			t.Errorf("%q with number %d", plain, seq)
		}
	})
}

func BenchmarkWrapUnwrap(b *testing.B) {
	for _, sealed := range []bool{false, true} {
		for _, n := range []int{1 << 10, 16 << 10} {
			b.Run(fmt.Sprintf("sealed=%t/%d", sealed, n), func(b *testing.B) {
				in, ac := contexts(b, 18, false)
				plain, token := make([]byte, n), make([]byte, 0, n+100)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					token = in.Wrap(token[:0], plain, sealed)
					if _, err := ac.UnwrapNext(token, sealed); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
