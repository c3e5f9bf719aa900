package socks_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// copyCounter is a connection to the gateway that counts the bytes that its ReadFrom and WriteTo copy.
type copyCounter struct {
	*net.TCPConn
	readFrom, writeTo atomic.Int64
}

func (c *copyCounter) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.readFrom.Add(n)
	return n, err
}

func (c *copyCounter) WriteTo(w io.Writer) (int64, error) {
	n, err := c.TCPConn.WriteTo(w)
	c.writeTo.Add(n)
	return n, err
}

// io.Copy calls the connection's own ReadFrom and WriteTo, in which package net uses splice.
func TestCopyReachesTheSocket(t *testing.T) {
	c := clientOf(t, new(testgw.Gateway))
	var conn *copyCounter
	c.Forward = dialFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn = &copyCounter{TCPConn: raw.(*net.TCPConn)}
		return conn, nil
	})
	near, far := connect(t, c, listen(t))
	require.Zero(t, conn.readFrom.Load()+conn.writeTo.Load(), "the handshake uses neither")

	application, local := tcpPair(t)
	transfer(t, application, local, near, far)
	require.EqualValues(t, len(bulk), conn.readFrom.Load(), "from a socket to the Conn")

	application, local = tcpPair(t)
	transfer(t, far, near, local, application)
	require.EqualValues(t, len(bulk), conn.writeTo.Load(), "from the Conn to a socket")
}

// A file that io.Copy sends is counted. If SyscallConn allowed it, an *os.File would send itself to the socket,
// without the Conn.
func TestCopyOfAFileIsCounted(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			c := way(t, new(testgw.Gateway))
			near, far := connect(t, c, listen(t))
			sendFile(t, near, far)
			require.EqualValues(t, len(bulk), near.Stats().BytesWritten)
			require.EqualValues(t, len(bulk), c.Stats().BytesWritten)
		})
	}
}

// sendFile copies a file with the contents bulk to near, and checks what arrives at far.
func sendFile(t testing.TB, near, far halfCloser) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bulk")
	require.NoError(t, os.WriteFile(path, bulk, 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	arrived := collect(far)
	n, err := io.Copy(near, f)
	require.NoError(t, err)
	require.EqualValues(t, len(bulk), n)
	require.NoError(t, near.CloseWrite())
	require.True(t, bytes.Equal(bulk, <-arrived))
}

// transfer writes bulk at one end, copies from src to dst, and checks what arrives at the other end.
func transfer(t testing.TB, in, src, dst, out halfCloser) {
	t.Helper()
	go func() { // ends when bulk is written, for which the copy waits
		in.Write(bulk)
		in.CloseWrite()
	}()
	arrived := collect(out)
	n, err := io.Copy(dst, src)
	require.NoError(t, err)
	require.EqualValues(t, len(bulk), n)
	require.NoError(t, dst.CloseWrite())
	require.True(t, bytes.Equal(bulk, <-arrived))
}

// collect reads c until EOF, and sends what it has read.
func collect(c io.Reader) <-chan []byte {
	arrived := make(chan []byte)
	go func() { // owned by the caller, which receives; ends with the end of c
		all, _ := io.ReadAll(c)
		arrived <- all
	}()
	return arrived
}

// tcpPair returns the two ends of a connection without a gateway.
func tcpPair(t testing.TB) (a, b *net.TCPConn) {
	l := listen(t)
	dialed, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { dialed.Close() })
	accepted, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// The copies are made in a separate process, so that strace sees only the client and not the gateway.
const (
	spliceGateway   = "SOCKS_TEST_SPLICE_GATEWAY"
	spliceDirection = "SOCKS_TEST_SPLICE_DIRECTION"
)

func TestCopySplices(t *testing.T) {
	if gateway := os.Getenv(spliceGateway); gateway != "" {
		near, far := connect(t, &socks.Client{Addr: gateway}, listen(t))
		application, local := tcpPair(t)
		switch os.Getenv(spliceDirection) {
		case "up":
			transfer(t, application, local, near, far)
		case "down":
			transfer(t, far, near, local, application)
		case "file":
			sendFile(t, near, far)
		}
		return
	}
	strace := need.Path(t, "strace", "strace")
	if out, err := exec.Command(strace, "-f", "--seccomp-bpf", "-e", "trace=splice", os.Args[0], "-test.run=^$").CombinedOutput(); err != nil {
		need.All(t, fmt.Errorf("to trace this program: %w: %s", err, out)) // an emulator runs this program, not the kernel
	}
	gateway := clientOf(t, new(testgw.Gateway)).Addr
	for direction, call := range map[string]string{"up": "splice", "down": "splice", "file": "sendfile"} {
		used := regexp.MustCompile(call + `(64)?\(.*\) += [1-9]`)
		// One file per thread: in one file, the lines of different threads would be mixed.
		traces := filepath.Join(t.TempDir(), "trace")
		child := exec.Command(strace, "-ff", "-o", traces, "--seccomp-bpf", "-e", "trace=splice,sendfile,?sendfile64", os.Args[0], "-test.run=^TestCopySplices$")
		child.Env = append(os.Environ(), spliceGateway+"="+gateway, spliceDirection+"="+direction)
		out, err := child.CombinedOutput()
		require.NoError(t, err, "%s: %s", direction, out)
		calls := readAll(t, traces+".*")
		require.True(t, used.Match(calls), "%s: %s", direction, calls)
	}
}

// readAll returns the contents of the files that match the pattern.
func readAll(t *testing.T, pattern string) []byte {
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	var all []byte
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		all = append(all, content...)
	}
	return all
}
