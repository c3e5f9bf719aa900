package dialer_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestConnBehavesAsAConn(t *testing.T) {
	d := behind(t, new(testgw.Gateway))
	t.Run("CONNECT", func(t *testing.T) {
		nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
			l, err := net.ListenTCP("tcp4", nil)
			if err != nil {
				return nil, nil, nil, err
			}
			defer l.Close()
			if near, err = d.Dial("tcp", at(name, l.Addr().(*net.TCPAddr).AddrPort().Port())); err != nil {
				return nil, nil, nil, err
			}
			far, err = l.Accept()
			return near, far, func() { near.Close(); far.Close() }, err
		})
	})
	t.Run("BIND", func(t *testing.T) {
		nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
			l, err := d.Listen(context.Background(), "tcp", at(name, 0))
			if err != nil {
				return nil, nil, nil, err
			}
			defer l.Close()
			if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
				return nil, nil, nil, err
			}
			near, err = l.Accept()
			return near, far, func() { near.Close(); far.Close() }, err
		})
	})
}

// Either side closes its direction first, and the other direction stays open.
func TestHalfCloseLeavesTheOtherDirectionOpen(t *testing.T) {
	type half interface {
		net.Conn
		CloseWrite() error
	}
	for _, nearFirst := range []bool{true, false} {
		near, far := connect(t, behind(t, new(testgw.Gateway)))
		first, second := half(near), half(far)
		if !nearFirst {
			first, second = far, near
		}
		_, err := first.Write([]byte("question"))
		require.NoError(t, err)
		require.NoError(t, first.CloseWrite())
		got, err := io.ReadAll(second)
		require.NoError(t, err)
		require.Equal(t, "question", string(got))
		_, err = second.Write([]byte("answer"))
		require.NoError(t, err)
		require.NoError(t, second.CloseWrite())
		got, err = io.ReadAll(first)
		require.NoError(t, err)
		require.Equal(t, "answer", string(got))
	}
}

func TestCloseReadEndsReads(t *testing.T) {
	near, _ := connect(t, behind(t, new(testgw.Gateway)))
	require.NoError(t, near.CloseRead())
	_, err := near.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// NetConn leads through every layer down to the socket.
func TestNetConnLeadsToTheSocket(t *testing.T) {
	near, far := connect(t, behind(t, new(testgw.Gateway)))
	outer := near.NetConn().(*socks.Conn)
	require.IsType(t, (*net.TCPConn)(nil), outer.NetConn())
	require.Equal(t, far.RemoteAddr().String(), near.BoundAddr().String())
	require.Equal(t, outer.LocalAddr(), near.LocalAddr())
	raw, err := near.SyscallConn()
	require.NoError(t, err)
	var fd uintptr
	require.NoError(t, raw.Control(func(f uintptr) { fd = f }))
	require.NotZero(t, fd)
}

// spy is a gateway's connection that records which methods carry the bytes.
type spy struct {
	net.Conn
	readFrom, writeTo int
	src               io.Reader
	dst               io.Writer
}

func (s *spy) ReadFrom(r io.Reader) (int64, error) {
	s.readFrom++
	s.src = r
	return s.Conn.(io.ReaderFrom).ReadFrom(r)
}

func (s *spy) WriteTo(w io.Writer) (int64, error) {
	s.writeTo++
	s.dst = w
	return s.Conn.(io.WriterTo).WriteTo(w)
}

// io.Copy reaches the ReadFrom and WriteTo of the Gateway's connection, with the other side unwrapped, so that a
// *net.TCPConn can splice.
func TestCopyTakesTheFastPath(t *testing.T) {
	l, port := listen(t, loopback4)
	c, err := net.Dial("tcp", at(loopback4, port))
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	defer far.Close()
	beneath := &spy{Conn: c}
	d := &dialer.Dialer{Gateway: gatewayFunc{dial: func(string) (net.Conn, error) { return beneath, nil }}, Table: behind(t, new(testgw.Gateway)).Table}
	near, err := d.Dial("tcp", at(name, port))
	require.NoError(t, err)
	defer near.Close()

	source, sink := connect(t, behind(t, new(testgw.Gateway)))
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	_, err = source.Write(data)
	require.NoError(t, err)
	require.NoError(t, source.CloseWrite())
	n, err := io.Copy(near, sink)
	require.NoError(t, err)
	require.EqualValues(t, len(data), n)
	require.Equal(t, 1, beneath.readFrom)

	got := make([]byte, len(data))
	_, err = io.ReadFull(far, got)
	require.NoError(t, err)
	require.Equal(t, data, got)

	_, err = far.Write(data)
	require.NoError(t, err)
	require.NoError(t, far.(*net.TCPConn).CloseWrite())
	n, err = io.Copy(sink, near)
	require.NoError(t, err)
	require.EqualValues(t, len(data), n)
	require.Equal(t, 1, beneath.writeTo)
	require.Same(t, sink, beneath.dst)
}

// If the Gateway's connection lacks ReadFrom and WriteTo, the bytes are still copied.
func TestCopyWorksWithoutTheFastPath(t *testing.T) {
	a, b := net.Pipe()
	d := &dialer.Dialer{Gateway: gatewayFunc{dial: func(string) (net.Conn, error) { return a, nil }}, Table: behind(t, new(testgw.Gateway)).Table}
	near, err := d.Dial("tcp", at(name, 80))
	require.NoError(t, err)
	go func() { // ends with b, which it closes
		defer b.Close()
		_, _ = io.CopyN(b, b, 4)
	}()
	n, err := near.(io.ReaderFrom).ReadFrom(bytes.NewReader([]byte("ping")))
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
	var got bytes.Buffer
	n, err = near.(io.WriterTo).WriteTo(&got)
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
	require.Equal(t, "ping", got.String())
	require.Error(t, near.(*dialer.Conn).CloseWrite())
	require.Nil(t, near.(*dialer.Conn).BoundAddr())
	require.NoError(t, near.Close())
}
