package netconn

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControlCallsItsFuncOnASocketOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	called, refused := 0, errors.New("refused")
	do := func(fd int) error { called++; return refused }
	require.ErrorIs(t, Control(l, do), refused)
	require.Equal(t, 1, called)

	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	require.ErrorIs(t, Control(near, do), errors.ErrUnsupported)
	require.NoError(t, l.Close())
	require.ErrorIs(t, Control(l, do), net.ErrClosed)
	require.Equal(t, 1, called)
}
