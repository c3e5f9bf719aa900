package seccomp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSockaddrRoundTrip(t *testing.T) {
	for _, s := range []string{"192.0.2.1:80", "0.0.0.0:0", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:53"} {
		want := netip.MustParseAddrPort(s)
		b := appendSockaddr(nil, want)
		got, err := parseSockaddr(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
		shortest := sizeSockaddr4
		if want.Addr().Is6() {
			shortest = minSockaddr6
		}
		for n := range shortest {
			_, err := parseSockaddr(b[:n])
			require.ErrorIs(t, err, syscall.EINVAL, "%s, %d bytes", s, n)
		}
	}
	_, err := parseSockaddr(binary.NativeEndian.AppendUint16(nil, syscall.AF_UNIX))
	require.ErrorIs(t, err, syscall.EAFNOSUPPORT)
}

func TestInFamilyMapsIPv4(t *testing.T) {
	v4 := netip.MustParseAddrPort("127.0.0.1:1")
	require.Equal(t, "127.0.0.1:1", inFamily(v4, false).String())
	require.Equal(t, "[::ffff:127.0.0.1]:1", inFamily(v4, true).String())
	require.Equal(t, "[::1]:1", inFamily(netip.MustParseAddrPort("[::1]:1"), true).String())
}

func TestUnixPathOfASockaddr(t *testing.T) {
	family := string(binary.NativeEndian.AppendUint16(nil, syscall.AF_UNIX))
	for sockaddr, want := range map[string]string{
		family + "/run/nscd/socket\x00garbage": "/run/nscd/socket",
		family + "/unterminated":               "/unterminated",
		family + "\x00abstract":                "",
		family:                                 "",
		"":                                     "",
	} {
		require.Equal(t, want, unixPath([]byte(sockaddr)))
	}
}

func FuzzSockaddr(f *testing.F) {
	f.Add(appendSockaddr(nil, netip.MustParseAddrPort("192.0.2.1:80")))
	f.Add(appendSockaddr(nil, netip.MustParseAddrPort("[2001:db8::1]:80")))
	f.Add([]byte("\x01\x00/run/nscd/socket"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = unixPath(b)
		a, err := parseSockaddr(b)
		if err != nil {
			return
		}
		again, err := parseSockaddr(appendSockaddr(nil, a))
		require.NoError(t, err)
		require.Equal(t, a, again)
	})
}

func msghdr(name uint64, nameLength uint32, iov, buffers uint64) []byte {
	b := binary.NativeEndian.AppendUint64(nil, name)
	b = binary.NativeEndian.AppendUint32(b, nameLength)
	b = append(b, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint64(b, iov)
	b = binary.NativeEndian.AppendUint64(b, buffers)
	return append(b, make([]byte, sizeMsghdr-len(b))...)
}

func TestMessageOfEveryLength(t *testing.T) {
	b := msghdr(0x1000, 16, 0x2000, 3)
	m, err := parseMessage(b)
	require.NoError(t, err)
	require.Equal(t, message{0x1000, 16, 0x2000, 3}, m)
	require.True(t, m.named())
	for n := range b {
		_, err := parseMessage(b[:n])
		require.ErrorIs(t, err, syscall.EFAULT)
	}
	_, err = parseMessage(msghdr(0, 0, 0, maxBuffers+1))
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	_, err = parseMessage(msghdr(1, 1<<31, 0, 1))
	require.ErrorIs(t, err, syscall.EINVAL)
	m, err = parseMessage(msghdr(0x1000, 0, 0, 0))
	require.NoError(t, err)
	require.False(t, m.named())
}

func iovecs(pairs ...uint64) (b []byte) {
	for _, n := range pairs {
		b = binary.NativeEndian.AppendUint64(b, n)
	}
	return b
}

func TestSegmentsAreBounded(t *testing.T) {
	segments, complete := parseSegments(iovecs(1, 10, 2, 0, 3, 20))
	require.True(t, complete)
	require.Equal(t, []segment{{1, 10}, {3, 20}}, segments)
	segments, complete = parseSegments(iovecs(1, 1<<63, 2, 1))
	require.False(t, complete)
	require.Equal(t, []segment{{1, maxDatagram}}, segments)
	segments, _ = parseSegments(iovecs(1, 10, 2)[:23])
	require.Len(t, segments, 1)
}

func FuzzMessage(f *testing.F) {
	f.Add(msghdr(1, 16, 2, 3), iovecs(1, 10, 2, 20))
	f.Add([]byte{}, iovecs(1, 1<<64-1, 2, 1<<64-1))
	f.Fuzz(func(t *testing.T, header, buffers []byte) {
		m, err := parseMessage(header)
		if err == nil {
			require.LessOrEqual(t, m.buffers, uint64(maxBuffers))
		}
		segments, _ := parseSegments(buffers)
		total := 0
		for _, s := range segments {
			require.Positive(t, s.length)
			total += s.length
		}
		require.LessOrEqual(t, total, maxDatagram)
	})
}

func TestStatesDropTheLeastRecentlyUsed(t *testing.T) {
	var s states
	require.Zero(t, s.get(1))
	s.change(1, func(st *state) { st.failed = syscall.ECONNREFUSED })
	require.Equal(t, syscall.ECONNREFUSED, s.get(1).failed)
	s.forget(1)
	s.forget(1)
	require.Zero(t, s.get(1))
	for i := range uint64(maxStates) {
		s.change(i, func(st *state) { st.untold = true })
	}
	s.change(0, func(*state) {}) // used again
	s.change(maxStates, func(*state) {})
	require.True(t, s.get(0).untold)
	require.Zero(t, s.get(1), "least recently used")
	require.Len(t, s.byKey, maxStates)
}
