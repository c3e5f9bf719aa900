package faults

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// transfer is a stream of up bytes to the archive, followed by a stream of down bytes back. The content is derived
// from the transfer, so both sides can check it.
type transfer struct {
	id       uint64
	up, down uint32
}

const headerLen = 8 + 4 + 4

func (x transfer) header() []byte {
	b := binary.BigEndian.AppendUint64(nil, x.id)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, x.up), x.down)
}

func parseTransfer(b []byte) transfer {
	return transfer{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
}

// content returns n pseudo-random bytes for a direction of the transfer.
func (x transfer) content(direction byte, n uint32) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte(sha256.Sum256(append(x.header(), direction)))).Read(b)
	return b
}

const upwards, downwards = 'u', 'd'

// stream describes what arrived in one direction.
type stream struct {
	n   int64
	sum [sha256.Size]byte
	err error // nil: the stream ended with EOF
}

func receive(r io.Reader) stream {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return stream{n, sumOf(h), err}
}

func sumOf(h hash.Hash) [sha256.Size]byte { return [sha256.Size]byte(h.Sum(nil)) }

// is reports whether exactly the bytes b arrived.
func (s stream) is(b []byte) bool { return s.n == int64(len(b)) && s.sum == sha256.Sum256(b) }

// archive is the destination of transfers. It records what it received of each. It is safe for concurrent use.
type archive struct {
	addr string

	mu       sync.Mutex
	received map[uint64]stream
	open     sync.WaitGroup
}

func newArchive(t testing.TB) *archive {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	a := &archive{addr: l.Addr().String(), received: make(map[uint64]stream)}
	a.open.Go(func() { // the test's; ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			a.open.Go(func() { a.serve(c.(*net.TCPConn)) }) // ends with the connection
		}
	})
	t.Cleanup(func() { l.Close(); a.open.Wait() })
	return a
}

func (a *archive) serve(c *net.TCPConn) {
	defer c.Close()
	var header [headerLen]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return // without a header, the archive has no entry, so the sender must get an error
	}
	x := parseTransfer(header[:])
	s := receive(c)
	a.mu.Lock()
	a.received[x.id] = s
	a.mu.Unlock()
	if s.err != nil {
		_ = c.SetLinger(0)
		return
	}
	_, _ = c.Write(x.content(downwards, x.down))
}

// take removes and returns what the archive received of a transfer.
func (a *archive) take(id uint64) (stream, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.received[id]
	delete(a.received, id)
	return s, ok
}

var (
	errSilentlyShort = errors.New("silently short or altered")
	errHangs         = errors.New("hangs")
)

// patienceOfTransfers is more than a transfer takes in any of the tests.
const patienceOfTransfers = 20 * time.Second

// run does the transfer over conn, and closes conn. It returns nil if both directions are complete, an error that
// matches errSilentlyShort if a side took an incomplete stream for a complete one, errHangs if the time is over,
// or this side's error.
func (x transfer) run(ctx context.Context, conn net.Conn, a *archive) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(patienceOfTransfers)); err != nil {
		return err
	}
	sent := x.content(upwards, x.up)
	_, err := conn.Write(append(x.header(), sent...))
	if err == nil {
		err = conn.(interface{ CloseWrite() error }).CloseWrite()
	}
	var back stream
	if err == nil {
		back = receive(conn)
		err = back.err
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errHangs
	case err != nil:
		return err
	case !back.is(x.content(downwards, x.down)):
		return fmt.Errorf("%w: %d of %d bytes came back", errSilentlyShort, back.n, x.down)
	}
	if there, ok := a.take(x.id); !ok || there.err != nil || !there.is(sent) {
		return fmt.Errorf("%w: %d of %d bytes arrived, error %v", errSilentlyShort, there.n, x.up, there.err)
	}
	return nil
}
