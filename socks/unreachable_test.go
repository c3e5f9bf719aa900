//go:build unix

package socks_test

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// The ICMP errors of a relay's host are told from the errors of its socket.
func TestICMPErrorsAreUnreachable(t *testing.T) {
	wrapped := func(errno syscall.Errno) error {
		return &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvmsg", errno)}
	}
	for _, errno := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, // ICMP and ICMPv6, no route or port
		syscall.EACCES, syscall.EHOSTDOWN, syscall.EPROTO, syscall.ENOPROTOOPT, // forbidden, and others
	} {
		require.True(t, socks.Unreachable(wrapped(errno)), errno)
	}
	for _, err := range []error{
		nil, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, wrapped(syscall.EBADF), wrapped(syscall.EMSGSIZE), wrapped(syscall.EPERM), wrapped(syscall.ENOBUFS),
	} {
		require.False(t, socks.Unreachable(err), err)
	}
}
