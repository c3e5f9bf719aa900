package leakcheck

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

func TestNothingLeft(t *testing.T) {
	before := Take()
	done := make(chan struct{})
	go func() { <-done }() // ends with the close below
	close(done)
	require.Empty(t, before.Left(patience))
}

func TestGoroutineIsFound(t *testing.T) {
	before := Take()
	done := make(chan struct{})
	go func() { <-done }() // ends with the close below
	require.Contains(t, before.Left(10*time.Millisecond), "TestGoroutineIsFound")
	close(done)
	require.Empty(t, before.Left(patience))
}

// A goroutine that ends does not hide one that is left.
func TestGoroutineIsFoundAlthoughAnotherEnded(t *testing.T) {
	ended, left := make(chan struct{}), make(chan struct{})
	go func() { <-ended }() // ends with the close below
	before := Take()
	close(ended)
	go func() { <-left }() // ends with the close below
	require.Contains(t, before.Left(10*time.Millisecond), "TestGoroutineIsFoundAlthoughAnotherEnded")
	close(left)
	require.Empty(t, before.Left(patience))
}

func TestDescriptorIsFound(t *testing.T) {
	if descriptors() == nil {
		t.Skip("needs /proc/self/fd")
	}
	before := Take()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.Contains(t, before.Left(10*time.Millisecond), "socket:")
	require.NoError(t, l.Close())
	require.Empty(t, before.Left(patience))
}
