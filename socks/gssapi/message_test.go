package gssapi

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

func TestMessageIsSplitAndRead(t *testing.T) {
	for msg, want := range map[string]struct {
		mtyp  byte
		token string
	}{
		"\x01\x01\x00\x05token": {msgToken, "token"},
		"\x01\x02\x00\x01x":     {msgProtection, "x"},
		"\x01\x03\x00\x00":      {msgData, ""},
		"\x01\x03\xff\xff" + strings.Repeat("y", maxToken): {msgData, strings.Repeat("y", maxToken)},
	} {
		b, err := appendMessage([]byte("before"), want.mtyp, []byte(want.token))
		require.NoError(t, err)
		require.Equal(t, "before"+msg, string(b))
		token, need, err := splitMessage([]byte(msg+"after"), want.mtyp)
		require.NoError(t, err)
		require.Equal(t, want.token, string(token))
		require.Equal(t, len(msg), need)

		r := strings.NewReader(msg + "after")
		token, err = readMessage(iotest.OneByteReader(r), want.mtyp)
		require.NoError(t, err)
		require.Equal(t, want.token, string(token))
		require.Equal(t, len("after"), r.Len(), "readMessage must not read beyond the message")

		for n := range min(len(msg), 100) {
			token, need, err := splitMessage([]byte(msg[:n]), want.mtyp)
			require.NoError(t, err)
			require.Nil(t, token)
			require.Greater(t, need, n)
			_, err = readMessage(strings.NewReader(msg[:n]), want.mtyp)
			require.Equal(t, io.ErrUnexpectedEOF, err)
		}
	}
	_, err := appendMessage(nil, msgToken, make([]byte, maxToken+1))
	require.Error(t, err)
}

func TestMessageThatIsMalformedIsRefused(t *testing.T) {
	for msg, want := range map[string]error{
		"\x02\x01":         socks.ErrProtocol,
		"\x05\x00":         socks.ErrProtocol,
		"\x01\x02":         socks.ErrProtocol, // of another type
		"\x01\x00\x00\x00": socks.ErrProtocol,
		"\x01\xff":         socks.ErrAuthFailed,
		"HTTP/1.1 400":     socks.ErrProtocol,
	} {
		_, _, err := splitMessage([]byte(msg), msgToken)
		require.ErrorIs(t, err, want, "%q", msg)
		_, err = readMessage(strings.NewReader(msg), msgToken)
		require.ErrorIs(t, err, want, "%q", msg)
	}
	_, _, err := splitMessage([]byte("\x01\xff"), msgData)
	require.ErrorIs(t, err, socks.ErrProtocol, "an abort is not allowed among data")
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("\x01\x01\x00\x05token"), byte(msgToken))
	f.Add([]byte("\x01\x03\x00\x00"), byte(msgData))
	f.Add([]byte("\x01\xff"), byte(msgProtection))
	f.Fuzz(func(t *testing.T, b []byte, mtyp byte) {
		token, need, err := splitMessage(b, mtyp)
		switch {
		case err != nil:
		case token == nil && need <= len(b):
			t.Error("no progress although the input is complete")
		case token != nil:
			again, err := appendMessage(nil, mtyp, token)
			if err != nil || !bytes.Equal(again, b[:need]) {
				t.Errorf("%q became %q, %v", b[:need], again, err)
			}
		}
	})
}
