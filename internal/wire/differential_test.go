package wire

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/proxy"
)

// canned is a connection to a gateway with fixed answers, and the dialer that returns it.
type canned struct {
	net.Conn
	says *bytes.Reader
}

func (c canned) Dial(string, string) (net.Conn, error) { return c, nil }
func (c canned) DialContext(context.Context, string, string) (net.Conn, error) {
	return c, nil
}
func (c canned) Read(b []byte) (int, error)  { return c.says.Read(b) }
func (c canned) Write(b []byte) (int, error) { return len(b), nil }
func (canned) Close() error                  { return nil }

// readLikeXNet makes the client of golang.org/x/net read a reply. It returns BND.ADDR and BND.PORT as one address,
// and the number of bytes that are left in the stream.
func readLikeXNet(in []byte) (bnd string, left int, err error) {
	says := bytes.NewReader(append(AppendMethod(nil, MethodNone), in...))
	gateway := canned{says: says}
	d, err := proxy.SOCKS5("tcp", "gateway.example:1080", nil, gateway)
	if err != nil {
		return "", 0, err
	}
	conn, err := d.(proxy.ContextDialer).DialContext(context.Background(), "tcp", "name.example:80")
	if err != nil {
		return "", 0, err
	}
	return conn.(interface{ BoundAddr() net.Addr }).BoundAddr().String(), says.Len(), nil
}

// FuzzReplyLikeXNet checks that a reply that grants is read as the client of golang.org/x/net reads it: the same
// address from the same bytes. An RSV other than 0 is the exception. That client refuses it, as the RFC demands;
// this package accepts it, because the byte means nothing, and a refusal would make such a gateway unusable.
func FuzzReplyLikeXNet(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	for _, reply := range []string{
		"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50", "\x05\x00\x00\x03\x04name\x00\x50data", "\x05\x00\x00\x03\x00\x00\x00",
		"\x05\x00\x00\x04" + strings.Repeat("\x01", 18) + "data", "\x05\x00\x01\x01\x7f\x00\x00\x01\x00\x50", "\x05\x01\x00", "\x05\x00\x00\x02\x00",
		"\x05\x00\x00\x03\xff" + strings.Repeat("x", 257), "\x04\x00\x00\x01\x7f\x00\x00\x01\x00\x50",
	} {
		f.Add([]byte(reply))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		stream := bytes.NewReader(in)
		rep, bnd, err := NewReader(stream).ReadReply()
		theirs, left, theirErr := readLikeXNet(in)
		switch {
		case err != nil || rep != Succeeded:
			require.Error(t, theirErr)
		case in[2] != 0:
			require.ErrorContains(t, theirErr, "reserved")
		default:
			require.NoError(t, theirErr)
			require.Equal(t, left, stream.Len())
			require.Equal(t, theirs, asXNetPrints(bnd))
		}
	})
}

// asXNetPrints returns an address as that client prints it, the empty name included.
func asXNetPrints(a Addr) string {
	host := a.Name
	if a.IP.IsValid() {
		host = a.IP.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(a.Port)))
}
