package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

type greeting []byte
type method byte
type status byte
type userPass struct{ username, password string }
type request struct {
	cmd Command
	dst Addr
}
type reply struct {
	rep byte
	bnd Addr
}

// appendMessage appends a message by its type, and readMessage reads one of the same type.
func appendMessage(b []byte, message any) ([]byte, error) {
	switch m := message.(type) {
	case greeting:
		return AppendMethods(b, m...)
	case method:
		return AppendMethod(b, byte(m)), nil
	case status:
		return AppendStatus(b, byte(m)), nil
	case userPass:
		return AppendUserPass(b, m.username, m.password)
	case request:
		return AppendRequest(b, m.cmd, m.dst)
	case reply:
		return AppendReply(b, m.rep, m.bnd)
	}
	panic("unknown message")
}

func readMessage(r *Reader, like any) (any, error) {
	switch like.(type) {
	case greeting:
		m, err := r.ReadMethods()
		return greeting(m), err
	case method:
		m, err := r.ReadMethod()
		return method(m), err
	case status:
		s, err := r.ReadStatus()
		return status(s), err
	case userPass:
		u, p, err := r.ReadUserPass()
		return userPass{u, p}, err
	case request:
		cmd, dst, err := r.ReadRequest()
		return request{cmd, dst}, err
	case reply:
		rep, bnd, err := r.ReadReply()
		return reply{rep, bnd}, err
	}
	panic("unknown message")
}

var (
	long255 = strings.Repeat("n", 255)
	ip4     = netip.MustParseAddr("192.0.2.1")
	ip6     = netip.MustParseAddr("2001:db8::1")
)

var vectors = []struct {
	name    string
	message any
	hex     string
}{
	{"one method", greeting{MethodNone}, "05 01 00"},
	{"two methods", greeting{MethodNone, MethodUserPass}, "05 02 00 02"},
	{"method", method(MethodUserPass), "05 02"},
	{"no acceptable method", method(MethodNoAcceptable), "05 ff"},
	{"user and password", userPass{"user", "pw"}, "01 04 75736572 02 7077"},
	{"empty password", userPass{"u", ""}, "01 01 75 00"},
	{"status", status(StatusSuccess), "01 00"},
	{"refused", status(2), "01 02"},
	{"connect IPv4", request{Connect, Addr{IP: ip4, Port: 80}}, "05 01 00 01 c0000201 0050"},
	{"connect IPv6", request{Connect, Addr{IP: ip6, Port: 443}}, "05 01 00 04 20010db8000000000000000000000001 01bb"},
	{"bind name", request{Bind, Addr{Name: "a.example", Port: 65535}}, "05 02 00 03 09 612e6578616d706c65 ffff"},
	{"associate", request{Associate, Addr{IP: netip.IPv4Unspecified()}}, "05 03 00 01 00000000 0000"},
	{"resolve", request{Resolve, Addr{Name: "x"}}, "05 f0 00 03 01 78 0000"},
	{"longest name", request{Connect, Addr{Name: long255, Port: 1}}, "05 01 00 03 ff " + hex.EncodeToString([]byte(long255)) + "0001"},
	{"granted", reply{Succeeded, Addr{IP: ip4, Port: 1080}}, "05 00 00 01 c0000201 0438"},
	{"granted IPv6", reply{Succeeded, Addr{IP: ip6, Port: 1}}, "05 00 00 04 20010db8000000000000000000000001 0001"},
	{"granted name", reply{Succeeded, Addr{Name: "g", Port: 1}}, "05 00 00 03 01 67 0001"},
}

// Each message is appended as the RFCs say, and read from those bytes.
func TestMessagesAreAsInTheRFCs(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.hex)
			got, err := appendMessage([]byte("before"), v.message)
			require.NoError(t, err)
			require.Equal(t, append([]byte("before"), want...), got)

			// Nothing after the message is read, whatever pieces the stream comes in.
			for _, cut := range []func(io.Reader) io.Reader{
				func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader,
			} {
				stream := bytes.NewReader(append(bytes.Clone(want), "first data"...))
				r := NewReader(cut(stream))
				message, err := readMessage(r, v.message)
				require.NoError(t, err)
				require.Equal(t, v.message, message)
				require.Zero(t, r.Buffered())
				left, err := io.ReadAll(stream)
				require.NoError(t, err)
				require.Equal(t, "first data", string(left))
			}
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	for _, v := range vectors {
		whole := unhex(t, v.hex)
		for n := range whole {
			_, err := readMessage(NewReader(bytes.NewReader(whole[:n])), v.message)
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			require.ErrorIs(t, err, want, "%s, %d bytes", v.name, n)

			broken := errors.New("broken")
			_, err = readMessage(NewReader(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken))), v.message)
			require.ErrorIs(t, err, broken)
		}
	}
}

// The three answers to a pipelined handshake with a password take two reads, because the reader knows their minimum
// length.
func TestOwedAnswersTakeFewReads(t *testing.T) {
	answers := unhex(t, "05 02 01 00 05 00 00 01 c0000201 0438")
	var reads int
	stream := bytes.NewReader(append(answers, "first data"...))
	r := NewReader(readerFunc(func(p []byte) (int, error) { reads++; return stream.Read(p) }))
	r.Owe(MethodLen + StatusLen + ReplyLen)
	m, err := r.ReadMethod()
	require.NoError(t, err)
	require.EqualValues(t, MethodUserPass, m)
	s, err := r.ReadStatus()
	require.NoError(t, err)
	require.Zero(t, s)
	rep, bnd, err := r.ReadReply()
	require.NoError(t, err)
	require.Zero(t, rep)
	require.Equal(t, Addr{IP: ip4, Port: 1080}, bnd)
	require.Equal(t, 2, reads)
	require.Zero(t, r.Buffered())
	require.Equal(t, len("first data"), stream.Len())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A reply that refuses is read by its first two bytes, because gateways end it in many ways.
func TestRefusalsAreReadByTheirFirstBytes(t *testing.T) {
	for _, h := range []string{"05 04", "05 04 00", "05 04 00 00", "05 04 00 03 00 0000", "05 04 00 03 01 78 0000", "05 04 00 01 00000000 0000", "05 f4 00 00"} {
		b := unhex(t, h)
		rep, _, err := NewReader(bytes.NewReader(b)).ReadReply()
		require.NoError(t, err, h)
		require.Equal(t, b[1], rep)
	}
}

func TestReplyMayHaveAnEmptyName(t *testing.T) {
	rep, bnd, err := NewReader(bytes.NewReader(unhex(t, "05 00 00 03 00 0050"))).ReadReply()
	require.NoError(t, err)
	require.Zero(t, rep)
	require.Equal(t, Addr{Port: 80}, bnd)
}

func TestMalformedMessagesAreErrors(t *testing.T) {
	for _, c := range []struct {
		hex  string
		like any
		says string
	}{
		{"04 5a", method(0), "version 4, not 5"},
		{"48 54 54 50", method(0), "HTTP"},
		{"48 54 54 50", reply{}, "HTTP"},
		{"05 00", status(0), "version 5, not 1"},
		{"05 01", userPass{}, "version 5, not 1"},
		{"04 01 00 50", greeting{}, "version 4"},
		{"05 00 00 02 00 00 00 00 00 00", reply{}, "address type 2"},
		{"05 00 00 00 00 00 00 00 00 00", reply{}, "address type 0"},
		{"05 01 00 05 00 00 00 00 00 00", request{}, "address type 5"},
	} {
		_, err := readMessage(NewReader(bytes.NewReader(unhex(t, c.hex))), c.like)
		require.ErrorIs(t, err, ErrFormat, c.hex)
		require.ErrorContains(t, err, c.says)
	}
	_, _, err := NewReader(bytes.NewReader(unhex(t, "05 01 00 05 00 00"))).ReadRequest()
	require.ErrorIs(t, err, ErrAddressType)
}

func TestAppendRefusesWhatTheFormatCannotCarry(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, message := range map[string]any{
		"no method":         greeting{},
		"256 methods":       make(greeting, 256),
		"empty username":    userPass{"", "p"},
		"username too long": userPass{long, "p"},
		"password too long": userPass{"u", long},
		"nothing":           request{Connect, Addr{Port: 1}},
		"name too long":     request{Connect, Addr{Name: long}},
		"name far too long": request{Connect, Addr{Name: long + long}}, // 512 would wrap to 0
		"zone":              request{Connect, Addr{IP: netip.MustParseAddr("fe80::1%lo")}},
		"zone, IPv4-mapped": request{Connect, Addr{IP: netip.MustParseAddr("::ffff:192.0.2.1%lo")}},
	} {
		b, err := appendMessage(nil, message)
		require.Error(t, err, name)
		require.Nil(t, b, name)
	}
	_, err := AppendUserPass(nil, long, "secret")
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, err.Error(), long)
}

func TestMappedAddressIsSentAsIPv4(t *testing.T) {
	b, err := AppendRequest(nil, Connect, Addr{IP: netip.MustParseAddr("::ffff:192.0.2.1"), Port: 80})
	require.NoError(t, err)
	require.Equal(t, unhex(t, "05 01 00 01 c0000201 0050"), b)
}

func TestDatagramIsParsedWithoutItsHeader(t *testing.T) {
	for _, dst := range []Addr{{IP: ip4, Port: 53}, {IP: ip6, Port: 65535}, {Name: "a.example", Port: 1}, {Name: long255}} {
		header, err := AppendHeader(nil, dst)
		require.NoError(t, err)
		require.LessOrEqual(t, len(header), MaxHeader)
		d, err := ParseDatagram(append(header, "payload"...))
		require.NoError(t, err)
		require.Equal(t, Addr{Name: string(d.Name), IP: d.IP, Port: d.Port}, dst)
		require.Zero(t, d.Frag)
		require.Equal(t, "payload", string(d.Payload))
		for n := range header {
			_, err := ParseDatagram(header[:n])
			require.ErrorIs(t, err, ErrFormat)
		}
		d, err = ParseDatagram(header)
		require.NoError(t, err)
		require.Empty(t, d.Payload)
	}
	_, err := ParseDatagram(unhex(t, "0000 00 02 00000000 0000 00"))
	require.ErrorIs(t, err, ErrAddressType)
	d, err := ParseDatagram(unhex(t, "0000 07 01 c0000201 0035 ff"))
	require.NoError(t, err)
	require.EqualValues(t, 7, d.Frag)
}

func TestCodecAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1024)
	datagram := unhex(t, "0000 00 03 01 78 0035 ff")
	answer := unhex(t, "05 00 00 01 c0000201 0438")
	stream := bytes.NewReader(nil)
	r := NewReader(stream)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, err1 := AppendRequest(buf, Connect, Addr{Name: "www.example.com", Port: 443})
		_, err2 := AppendHeader(buf, Addr{IP: ip6, Port: 443})
		_, err3 := ParseDatagram(datagram)
		stream.Reset(answer)
		r.Reset(stream)
		_, _, err4 := r.ReadReply()
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
	}))
}

func TestCommandHasItsName(t *testing.T) {
	for c, want := range map[Command]string{
		Connect: "CONNECT", Bind: "BIND", Associate: "UDP ASSOCIATE", Resolve: "RESOLVE", ResolvePTR: "RESOLVE_PTR", 9: "command 0x09",
	} {
		require.Equal(t, want, c.String())
	}
}
